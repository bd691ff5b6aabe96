import type { Log } from '../src/index.ts';
import { CREW_TOPICS, isFromEmptying, openDemoLog } from './demo-log.ts';
import { mustGet } from './dom.ts';
import { Follower } from './follower.ts';
import { coalesced } from './frame.ts';
import { GroupState } from './group-state.ts';
import { GroupView } from './group-view.ts';
import { GroupWatch } from './group-watch.ts';
import { STEP_MS } from './history.ts';
import { LogSummary } from './log-summary.ts';
import { MembershipControls } from './membership-controls.ts';
import { Membership } from './membership.ts';
import { Notices } from './notices.ts';
import { Pace } from './pace.ts';
import { recordPageEvents } from './page-events.ts';
import { RecordDetails } from './record-details.ts';
import { ReplayControls } from './replay-controls.ts';
import { Selection } from './selection.ts';
import { tabName } from './tab-name.ts';
import { TopicView } from './topic-view.ts';

const REFRESH_MS = 1000;

const ABOUT: Readonly<Record<string, string>> = {
  'github-events': 'GitHub webhooks, keyed by repository: a busy one fills one partition.',
  'page-events': 'What happens in each tab of this page, keyed by the tab’s name.',
};

const notices = new Notices();
const summary = new LogSummary(
  (agreed) => {
    if (!agreed) notices.tell('The browser has declined to keep the data for good, for now.');
  },
  (error) => notices.error(error),
);

try {
  show(await openDemoLog());
} catch (error) {
  summary.showFailure();
  notices.error(error);
}

function show(log: Log): void {
  const tab = tabName();
  summary.showLog(log, tab);
  const follower = new Follower(log, {
    onChange: () => draw(),
    onError: (error) => notices.error(error),
  });
  const group = new GroupState();
  const watch = new GroupWatch(log, group, {
    onChange: () => draw(),
    onNews: (news) => groupView.tell(news),
    onError: (error) => notices.error(error),
  });
  const pace = new Pace();
  const membership = new Membership(log, tab, pace, () => watch.look());
  const { memberId } = membership;
  const groupView = new GroupView(memberId);
  const membershipControls = new MembershipControls(membership, pace, notices);
  const selection = new Selection(() => draw());
  const details = new RecordDetails(() => selection.unpin());
  const views = follower.topics.map(
    (topic) =>
      new TopicView(topic, {
        about: ABOUT[topic.name] ?? '',
        memberId: CREW_TOPICS.some(({ name }) => name === topic.name) ? memberId : undefined,
        selection,
        onLayout: () => draw(),
      }),
  );
  mustGet('topics', HTMLElement).append(...views.map(({ root }) => root));
  const draw = coalesced(() => {
    for (const [i, topic] of follower.topics.entries()) views[i]!.render(topic, group);
    groupView.render(group);
    membershipControls.render(group);
    summary.showRecords(follower.topics.reduce((records, topic) => records + topic.records, 0));
    details.render(selection);
  });

  const producer = log.producer();
  recordPageEvents(producer, tab, (error) => notices.error(error));
  const refresh = async (): Promise<void> => {
    try {
      const [storage] = await Promise.all([log.admin.storage(), follower.refresh()]);
      summary.showStorage(storage);
    } catch (error) {
      if (!isFromEmptying(error)) notices.error(error);
    }
  };
  const onEmptied = (): void => void refresh();
  new ReplayControls({ log, producer, notices, onEmptied }).enable();

  void follower.run();
  void refresh();
  setInterval(() => void refresh(), REFRESH_MS);
  setInterval(() => {
    const now = performance.now();
    for (const topic of follower.topics) topic.rate.step(now);
    group.step(now);
    draw();
  }, STEP_MS);
}
