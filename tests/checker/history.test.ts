import { expect, test } from 'vitest';
import { checkHistory, explain } from './history.ts';
import type { HistoryEvent, Rule } from './history.ts';

type Facts = Readonly<Record<string, string | number>>;

/** An event in the only partition. Default: of member `m1` in its first life. */
function on(kind: HistoryEvent['kind'], facts: Facts = {}): HistoryEvent {
  const where = { topic: 'events', partition: 0 };
  const member = { member: 'm1', life: 1, epoch: 1 };
  const accepted = kind === 'committed' ? { outcome: 'accepted' } : {};
  return { kind, ...where, ...member, ...accepted, ...facts } as HistoryEvent;
}

/** Facts of an event of another member, in the next epoch. */
const m2 = { member: 'm2', life: 2, epoch: 2 };

const produced = (...offsets: number[]): HistoryEvent[] =>
  offsets.map((offset) => on('produced', { offset }));

/** A member gets records and processes them. */
const reads = (offsets: readonly number[], who: Facts = {}): HistoryEvent[] =>
  offsets.flatMap((offset) => [
    on('delivered', { ...who, offset }),
    on('processed', { ...who, offset }),
  ]);

const commits = (offset: number, who: Facts = {}): HistoryEvent =>
  on('committed', { ...who, offset });

/** `m1` reads the first two of four records, and releases the partition; `m2` reads the others. */
const HANDOVER: readonly HistoryEvent[] = [
  ...produced(0, 1, 2, 3),
  on('assigned'),
  ...reads([0, 1]),
  commits(2),
  on('revoked'),
  on('assigned', m2),
  ...reads([2, 3], m2),
  commits(4, m2),
];

/** The same handover, with the events of the store. */
const HANDOVER_IN_STORE: readonly HistoryEvent[] = [
  on('joined'),
  on('owner'),
  ...HANDOVER.slice(0, 11),
  { kind: 'joined', member: 'm2', life: 2 },
  on('owner', m2),
  ...HANDOVER.slice(11),
];

test.each([
  ['of a handover', HANDOVER],
  ['of a handover as the store sees it', HANDOVER_IN_STORE],
  ['without epochs', HANDOVER.map((event) => ({ ...event, epoch: undefined, life: undefined }))],
  [
    'of a member that froze, and reads on until it knows',
    [
      ...produced(0, 1),
      on('assigned'),
      ...reads([0]),
      on('fault', { what: 'freeze', member: 'm1' }),
      on('assigned', m2),
      ...reads([0, 1], m2),
      on('fault', { what: 'thaw', member: 'm1' }),
      ...reads([1]),
      commits(2, m2),
      on('committed', { outcome: 'FENCED', offset: 2 }),
      on('lost'),
    ],
  ],
  [
    'of a member that was stuck before it was given what others have in the end',
    [
      ...produced(0, 1),
      on('fault', { what: 'stuck', member: 'm1' }),
      on('assigned'),
      on('delivered', { offset: 0 }),
      on('assigned', m2),
      ...reads([0, 1], m2),
      commits(2, m2),
      on('lost'),
    ],
  ],
  [
    'of a member that crashed, and whose call never settles',
    [
      ...produced(0),
      on('assigned'),
      on('called', { call: 1, what: 'commit', member: 'm1' }),
      on('fault', { what: 'crash', member: 'm1' }),
      on('assigned', m2),
      ...reads([0], m2),
      commits(1, m2),
    ],
  ],
  [
    'of a loop that was left: the record in hand comes again',
    [
      ...produced(0, 1),
      on('assigned'),
      ...reads([0]),
      on('delivered', { offset: 1 }),
      on('rewound'),
      ...reads([1]),
      commits(2),
    ],
  ],
  [
    'of handlers side by side, in order by key',
    [
      ...produced(0, 1, 2),
      on('assigned'),
      on('delivered', { offset: 0, lane: 'a' }),
      on('delivered', { offset: 2, lane: 'b' }),
      on('delivered', { offset: 1, lane: 'a' }),
      ...[0, 1, 2].map((offset) => on('processed', { offset })),
      commits(3),
    ],
  ],
  [
    'of commits that nobody sees',
    [
      ...produced(0),
      on('assigned'),
      ...reads([0]),
      on('ended', { endOffset: 1, committedOffset: 1 }),
    ],
  ],
] as [string, HistoryEvent[]][])('nothing is wrong with a history %s', (_, history) => {
  expect(checkHistory(history)).toEqual([]);
});

/** Histories that break each rule, with the indices of the events that the violation must name. */
const BAD: readonly [
  rule: Rule,
  what: string,
  history: readonly HistoryEvent[],
  shown: number[],
][] = [
  [
    'one member an epoch',
    'two members with one epoch',
    replaced(HANDOVER, 10, on('delivered', { ...m2, epoch: 1, offset: 2 })),
    [4, 10],
  ],
  [
    'one member an epoch',
    'two lives of one member with one epoch',
    replaced(HANDOVER, 7, on('delivered', { life: 2, offset: 1 })),
    [4, 7],
  ],
  ['one member at a time', 'nothing was given up', without(HANDOVER, 10), [4, 10]],
  [
    'one member at a time',
    'a fault before it began excuses nobody',
    [on('fault', { what: 'freeze', member: 'm1' }), ...without(HANDOVER, 10)],
    [5, 11],
  ],
  [
    'one member at a time',
    'what stuck before it began goes on again',
    [
      on('fault', { what: 'stuck', member: 'm1' }),
      on('fault', { what: 'goesOn', member: 'm1' }),
      ...without(HANDOVER, 10),
    ],
    [6, 12],
  ],
  [
    'one member at a time',
    'a member that the store still has',
    without(HANDOVER_IN_STORE, 12).toSpliced(12, 0, on('fault', { what: 'stuck', member: 'm1' })),
    [6, 15],
  ],
  [
    'only to the owner',
    'after it was revoked',
    [...HANDOVER, on('delivered', { offset: 2 })],
    [10, 17],
  ],
  [
    'only to the owner',
    'after it was lost',
    [...produced(0), on('assigned'), ...reads([0]), commits(1), on('lost'), ...reads([0])],
    [5, 6],
  ],
  ['only to the owner', 'before it was assigned', [...produced(0), ...reads([0]), commits(1)], [1]],
  [
    'in order',
    'a record is left out',
    [...produced(0, 1, 2), on('assigned'), ...reads([0, 2])],
    [4, 6],
  ],
  [
    'in order',
    'a record comes twice',
    [...produced(0, 1), on('assigned'), ...reads([0, 0, 1]), commits(2)],
    [3, 5],
  ],
  [
    'in order',
    'a loop that was left leaves out a record',
    [...produced(0, 1, 2), on('assigned'), ...reads([0]), on('rewound'), ...reads([2])],
    [4, 7],
  ],
  [
    'in order',
    'two records of a key',
    [
      ...produced(0, 1),
      on('assigned'),
      on('delivered', { offset: 1, lane: 'a' }),
      on('delivered', { offset: 0, lane: 'a' }),
      on('processed', { offset: 0 }),
      on('processed', { offset: 1 }),
      commits(2),
    ],
    [3, 4],
  ],
  [
    'begins where the group is',
    'beyond what is processed',
    replaced(HANDOVER, 12, on('delivered', { ...m2, offset: 3 })),
    [9, 12],
  ],
  [
    'begins where the group is',
    'before what is committed',
    HANDOVER.toSpliced(12, 0, ...reads([1], m2)),
    [9, 12],
  ],
  [
    'begins where the group is',
    'where something is processed, and not committed',
    replaced(HANDOVER_IN_STORE, 11, commits(1)),
    [11, 16],
  ],
  ['commits what is processed', 'one too many', replaced(HANDOVER, 9, commits(3)), [9]],
  ['commits go forwards', 'back by one', HANDOVER.toSpliced(10, 0, commits(1)), [9, 10]],
  [
    'commits go forwards',
    'back by one, and called when the other had settled',
    [
      ...HANDOVER,
      on('called', { call: 1, what: 'commit' }),
      commits(3, { ...m2, call: 1 }),
      on('settled', { call: 1, outcome: 'ok' }),
    ],
    [16, 18],
  ],
  [
    'only the owner commits',
    'after another one began',
    HANDOVER.toSpliced(12, 0, commits(2)),
    [11, 12],
  ],
  [
    'only the owner commits',
    'after the store gave it to another one',
    HANDOVER_IN_STORE.toSpliced(15, 0, commits(2)),
    [14, 15],
  ],
  [
    'only the owner commits',
    'by an older hold of the same member',
    [
      on('owner'),
      ...produced(0),
      on('assigned'),
      on('owner', { epoch: 3 }),
      ...reads([0]),
      commits(1),
    ],
    [3, 6],
  ],
  [
    'acknowledged is stored',
    'less was stored',
    [
      ...HANDOVER.slice(0, 9),
      commits(1),
      on('acknowledged', { offset: 2 }),
      commits(2),
      ...HANDOVER.slice(10),
    ],
    [9, 10],
  ],
  [
    'everything is delivered',
    'one was never seen',
    [...HANDOVER, on('produced', { offset: 4 })],
    [],
  ],
  [
    'everything is processed',
    'its member crashed with it',
    HANDOVER.filter((event) => !(event.kind === 'processed' && event.offset === 3)),
    [],
  ],
  ['everything is committed', 'the last commit is missing', HANDOVER.slice(0, -1), [9]],
  [
    'everything is committed',
    'the store knows less',
    [...HANDOVER, on('ended', { endOffset: 4, committedOffset: 3 })],
    [16],
  ],
  [
    'everything settles',
    'a call hangs',
    [...HANDOVER, on('called', { call: 1, what: 'close', member: 'm1' })],
    [17],
  ],
  [
    'everything settles',
    'a call hangs that was made after a crash of somebody else',
    [
      ...HANDOVER,
      on('fault', { what: 'crash', member: 'm2' }),
      on('called', { call: 1, what: 'close', member: 'm1' }),
    ],
    [18],
  ],
  [
    'removed for a reason',
    'nothing was the matter',
    [...HANDOVER_IN_STORE, { kind: 'removed', member: 'm2', life: 2 }],
    [21],
  ],
  [
    'removed for a reason',
    'what was the matter was in an earlier life',
    [
      on('joined'),
      on('fault', { what: 'stuck', member: 'm1' }),
      on('removed'),
      on('joined', { life: 2 }),
      on('removed', { life: 2 }),
    ],
    [4],
  ],
];

test.each(BAD)('%s: %s', (rule, _what, history, shown) => {
  const violations = checkHistory(history);
  expect(violations.filter((violation) => violation.rule === rule)).toMatchObject([
    { events: shown },
  ]);
});

test('every rule is broken by one of these histories', () => {
  const rules: Readonly<Record<Rule, true>> = {
    'one member an epoch': true,
    'one member at a time': true,
    'only to the owner': true,
    'in order': true,
    'begins where the group is': true,
    'commits what is processed': true,
    'commits go forwards': true,
    'only the owner commits': true,
    'acknowledged is stored': true,
    'everything is delivered': true,
    'everything is processed': true,
    'everything is committed': true,
    'everything settles': true,
    'removed for a reason': true,
  };
  expect(new Set(BAD.map(([rule]) => rule))).toEqual(new Set(Object.keys(rules)));
});

test('what is wrong is told with the events that show it', () => {
  const history = HANDOVER.toSpliced(10, 0, { ...commits(1), at: 70 });
  expect(explain(history, checkHistory(history))).toBe(
    [
      'commits go forwards: events/0: m1 commits 1 after 2',
      '    #9 committed events/0/2 member m1 life 1 epoch 1 outcome accepted',
      '    #10 committed events/0/1 member m1 life 1 epoch 1 outcome accepted at 70',
    ].join('\n'),
  );
});

function replaced(
  history: readonly HistoryEvent[],
  at: number,
  event: HistoryEvent,
): HistoryEvent[] {
  return history.toSpliced(at, 1, event);
}

function without(history: readonly HistoryEvent[], at: number): HistoryEvent[] {
  return history.toSpliced(at, 1);
}
