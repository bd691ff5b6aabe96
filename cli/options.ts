import { parseArgs } from 'node:util';
import { fail } from './fail.ts';

export interface CommandOptions {
  readonly topic?: string;
  readonly partition?: number;
  readonly partitions?: number;
  readonly from?: string;
  readonly 'from-beginning': boolean;
  readonly group?: string;
  readonly log?: string;
  readonly out?: string;
  readonly 'max-messages'?: number;
  readonly 'key-separator'?: string;
  readonly follow: boolean;
  readonly create: boolean;
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

export interface Arguments {
  readonly options: CommandOptions;
  readonly positionals: readonly string[];
  /** The names of the options that were given. */
  readonly given: readonly string[];
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;

const OPTIONS = {
  topic: text,
  partition: text,
  partitions: text,
  from: text,
  'from-beginning': flag,
  group: text,
  log: text,
  out: text,
  'max-messages': text,
  'key-separator': text,
  follow: flag,
  create: flag,
  json: flag,
  help: { ...flag, short: 'h' },
  version: flag,
} as const;

const NUMBERS = ['partition', 'partitions', 'max-messages'] as const;

/** The arguments of the program. Ends it with a usage error for an option that there is not. */
export function parse(): Arguments {
  const { values, positionals, tokens } = parsed();
  const numbers: Partial<Record<(typeof NUMBERS)[number], number>> = {};
  for (const name of NUMBERS) {
    const value = values[name];
    if (value === undefined) continue;
    if (!/^\d+$/.test(value)) fail(`--${name} must be a number, got '${value}'`);
    numbers[name] = Number(value);
  }
  const { partition: _p, partitions: _n, 'max-messages': _m, ...others } = values;
  if (others['key-separator'] === '') fail('--key-separator must not be empty');
  if (others['from-beginning'] && others.from !== undefined) {
    fail('--from-beginning is --from earliest: pass one of them');
  }
  const given = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []));
  return { options: { ...others, ...numbers }, positionals, given };
}

function parsed() {
  try {
    return parseArgs({ allowPositionals: true, tokens: true, options: OPTIONS });
  } catch (error) {
    const { message } = error as Error;
    const unknown = /^Unknown option '([^']+)'/.exec(message)?.[1];
    return fail(
      unknown === undefined ? message : `there is no option ${unknown}; see tablog --help`,
    );
  }
}
