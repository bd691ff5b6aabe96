import type { Log } from '../src/index.ts';
import { coalesced } from './coalesced.ts';
import { showDelivery } from './delivery/show-delivery.ts';
import { CREW_TOPICS, isFromEmptying } from './demo-log.ts';
import { mustGet } from './dom.ts';
import { enableEmptyButton } from './empty-button.ts';
import { Emptying } from './emptying.ts';
import type { Work } from './emptying.ts';
import { Follower } from './follower.ts';
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
import { ProducerControls } from './producer-controls.ts';
import { RecordDetails } from './record-details.ts';
import { SecondTab, isSecondTab } from './second-tab.ts';
import { Selection } from './selection.ts';
import { tabName } from './tab-name.ts';
import { TopicView } from './topic-view.ts';

const REFRESH_MS = 1000;

const ABOUT: Readonly<Record<string, string>> = {
  'github-events':
    'A topic: a named log, here in four partitions. Real GitHub webhook events, keyed by repository.',
  'page-events':
    'A second topic: what happens in each tab, keyed by the tab’s name. Move the pointer, or press a key.',
};

/**
 * Shows the log and has this tab join the group. Outside of the frame, also sends events and opens
 * the frame.
 */
export function showDemo(log: Log): void {
  const isFrame = isSecondTab();
  const tab = tabName(isFrame);
  const notices = new Notices();
  const onError = (error: unknown): void => notices.error(error);
  const secondTab = isFrame ? undefined : new SecondTab();
  const summary = new LogSummary();
  summary.showLog(log, tab);

  const follower = new Follower(log, {
    onChange: () => draw(),
    onRenewed: () => forget(),
    onError,
  });
  const group = new GroupState();
  const watch = new GroupWatch(log, group, {
    onChange: () => draw(),
    onNews: (news) => {
      groupView.tell(news);
      secondTab?.tell(news);
    },
    onError,
  });
  const pace = new Pace();
  const onChange = (): void => watch.look();
  const membership = new Membership(log, tab, pace, { onChange, onError });
  const { memberId } = membership;
  const groupView = new GroupView(memberId);
  const membershipControls = new MembershipControls(membership, pace);
  const selection = new Selection(() => draw());
  const details = new RecordDetails(() => selection.unpin());
  const views = follower.topics.map((topic) => {
    const view = new TopicView(topic, {
      about: ABOUT[topic.name] ?? '',
      memberId: CREW_TOPICS.some(({ name }) => name === topic.name) ? memberId : undefined,
      selection,
      onLayout: () => draw(),
    });
    mustGet(topic.name, HTMLElement).append(view.root);
    return view;
  });
  const draw = coalesced(() => {
    for (const [i, topic] of follower.topics.entries()) views[i]!.render(topic, group);
    groupView.render(group);
    membershipControls.render(group);
    summary.showRecords(follower.topics.reduce((records, topic) => records + topic.records, 0));
    details.render(selection);
  });
  const forget = (): void => {
    selection.unpin();
    group.clear();
    groupView.clear();
    membership.processed = 0;
  };
  const refresh = async (): Promise<void> => {
    try {
      const [storage] = await Promise.all([log.admin.describeLog(), follower.refresh()]);
      summary.showStorage(storage);
    } catch (error) {
      if (!isFromEmptying(error)) onError(error);
    }
  };

  const producer = log.producer();
  recordPageEvents(producer, tab, onError);
  const delivery = showDelivery({ log, tab, isFrame, onError });
  const works: Work[] = [membership, delivery];
  const isHeld = (): boolean => delivery.setting !== 'off';
  if (!isFrame) works.push(new ProducerControls({ log, producer, notices, isHeld }));
  const emptying = new Emptying(log, works, () => void refresh());
  enableEmptyButton(emptying, onError);
  membership.join();
  secondTab?.open();

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
