import type { Log } from '../src/index.ts';
import { isFromEmptying, openDemoLog } from './demo-log.ts';
import { mustGet } from './dom.ts';
import { Follower } from './follower.ts';
import { coalesced } from './frame.ts';
import { LogSummary } from './log-summary.ts';
import { Notices } from './notices.ts';
import { recordPageEvents } from './page-events.ts';
import { RATE_STEP_MS } from './rate-meter.ts';
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
  const selection = new Selection(() => draw());
  const details = new RecordDetails(() => selection.unpin());
  const views = follower.topics.map(
    (topic) =>
      new TopicView(topic, { about: ABOUT[topic.name] ?? '', selection, onLayout: () => draw() }),
  );
  mustGet('topics', HTMLElement).append(...views.map(({ root }) => root));
  const draw = coalesced(() => {
    for (const [i, topic] of follower.topics.entries()) views[i]!.render(topic);
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
    for (const topic of follower.topics) topic.rate.step(performance.now());
    draw();
  }, RATE_STEP_MS);
}
