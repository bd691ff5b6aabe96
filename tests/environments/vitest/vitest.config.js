import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

const executablePath = process.env.TABLOG_BROWSER;

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'node', environment: 'node' } },
      { test: { name: 'jsdom', environment: 'jsdom' } },
      { test: { name: 'happy-dom', environment: 'happy-dom' } },
      {
        optimizeDeps: { exclude: ['tablog'] },
        test: {
          name: 'browser',
          browser: {
            enabled: true,
            headless: true,
            provider: playwright({ launchOptions: { executablePath, args: ['--no-sandbox'] } }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
