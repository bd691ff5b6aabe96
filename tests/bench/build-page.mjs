import { createRequire } from 'node:module';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/**
 * Bundles the page into `folder`, as an application would, with the webhook events beside it.
 * @param {string} folder
 */
export async function buildPage(folder) {
  await build({
    configFile: false,
    root: fileURLToPath(new URL('page', import.meta.url)),
    logLevel: 'warn',
    build: { outDir: folder, emptyOutDir: false, target: 'esnext', chunkSizeWarningLimit: 5_000 },
    worker: { format: 'es' },
  });
  await writeFile(path.join(folder, 'events.json'), JSON.stringify(webhookEvents()));
}

/** GitHub's examples of every webhook event, keyed as an application would key them. */
function webhookEvents() {
  /** @type {{ examples: { repository?: { full_name: string } }[] }[]} */
  const kinds = createRequire(import.meta.url)('@octokit/webhooks-examples');
  return kinds.flatMap(({ examples }) =>
    examples.map((event) => ({
      key: event.repository?.full_name ?? 'none',
      value: JSON.stringify(event),
    })),
  );
}
