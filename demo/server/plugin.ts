import type { Plugin, PreviewServer, ViteDevServer } from 'vite';
import { DemoServer } from './demo-server.ts';
import { RECEIVER_PATH, STATE_PATH } from './protocol.ts';

/**
 * The demo's server as a part of Vite's own, in `npm start` and in `vite preview`, and heard from where
 * these are: on this machine alone, unless they are told otherwise. A build has no server, and says so.
 */
export function demoServer(): Plugin {
  const serve = ({ middlewares }: ViteDevServer | PreviewServer): void => {
    const server = new DemoServer();
    middlewares.use(`/${STATE_PATH}`, server.control);
    middlewares.use(`/${RECEIVER_PATH}`, server.receive);
  };
  return {
    name: 'tablog:demo-server',
    configureServer: serve,
    configurePreviewServer: serve,
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: STATE_PATH, source: 'null' });
    },
  };
}
