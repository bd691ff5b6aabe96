import { showDemo } from './demo.ts';
import { openDemoLog } from './demo-log.ts';
import { showFailure } from './failure.ts';

try {
  showDemo(await openDemoLog());
} catch (error) {
  showFailure(error);
}
