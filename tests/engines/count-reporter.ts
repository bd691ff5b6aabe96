import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Writes what passed, failed and was skipped, with the reasons, to the file of `TABLOG_COUNTS`. */
// Vitest takes a reporter as the default export of a file.
// oxlint-disable-next-line import/no-default-export
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: [] as string[], skipped: [] as Skipped[] };
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      if (module.state() === 'failed' && [...module.children.allTests()].length === 0) {
        counts.failed.push(file);
      }
      for (const test of module.children.allTests()) {
        const name = `${file}: ${test.fullName}`;
        const result = test.result();
        if (result.state === 'passed') counts.passed++;
        else if (result.state === 'failed') counts.failed.push(name);
        else counts.skipped.push({ name, reason: reasonOf(test) });
      }
    }
    writeFileSync(process.env['TABLOG_COUNTS']!, JSON.stringify(counts));
  }
}

interface Skipped {
  readonly name: string;
  readonly reason: string;
}

function reasonOf(test: TestCase): string {
  const result = test.result();
  return (result.state === 'skipped' ? result.note : undefined) ?? 'no reason was given';
}
