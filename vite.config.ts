import { defineConfig } from 'vite';
import { demoServer } from './demo/server/plugin.ts';

/** The demo: `npm start` serves it, `npm run build:demo` builds it. */
export default defineConfig({
  root: 'demo',
  publicDir: '../public',
  base: './',
  build: { outDir: '../dist-demo', emptyOutDir: true, target: 'es2022' },
  worker: { format: 'es' },
  plugins: [demoServer()],
});
