import { findBrowser } from './find-browser.mjs';

// Before the tests: so that an installation counts against no test's time limit.
try {
  console.log(`browser: ${await findBrowser()}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
