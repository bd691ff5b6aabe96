#!/usr/bin/env node
// Firefox as Playwright's driver over WebDriver BiDi expects it. A stable Firefox lacks commands that
// the driver sends without a need here: a proxy in between answers those itself.
// `TABLOG_FIREFOX` is the browser's path. Writes the browser's process id to `browser.pid` in the profile.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { WebSocket, WebSocketServer } from 'ws';

/** Emulates the colour scheme and the like: https://w3c.github.io/webdriver-bidi/#module-emulation. */
const ANSWERED_HERE = new Set(['emulation.setMediaFeaturesOverride']);

/** `ws` hands messages out as bytes. */
const TEXT = { binary: false };

const LISTENING = /WebDriver BiDi listening on (ws:\/\/\S+)/;

const args = process.argv.slice(2);
const browser = spawn(process.env['TABLOG_FIREFOX'], args, {
  stdio: ['inherit', 'inherit', 'pipe'],
  env: browserEnvironment(),
});
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => browser.kill(signal));
browser.once('error', (error) => console.error(error));
browser.once('exit', (code) => process.exit(code ?? 1));
writeFileSync(path.join(args[args.indexOf('--profile') + 1], 'browser.pid'), String(browser.pid));

let text = '';
browser.stderr.on('data', function hear(data) {
  text += data.toString();
  const address = LISTENING.exec(text)?.[1];
  if (address === undefined) return;
  browser.stderr.off('data', hear);
  browser.stderr.pipe(process.stderr);
  serve(address);
});

/** The driver's setting ends the whole browser when one page's process crashes. */
function browserEnvironment() {
  const { MOZ_CRASHREPORTER_SHUTDOWN: _, MOZ_CRASHREPORTER: __, ...environment } = process.env;
  return { ...environment, MOZ_CRASHREPORTER_DISABLE: '1' };
}

function serve(address) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.once('listening', () => {
    console.error(`WebDriver BiDi listening on ws://127.0.0.1:${server.address().port}`);
  });
  server.on('connection', (driver) => {
    const remote = new WebSocket(`${address}/session`);
    const early = [];
    driver.on('message', (data) => {
      const { id, method } = JSON.parse(/** @type {Buffer} */ (data).toString());
      if (ANSWERED_HERE.has(method)) {
        driver.send(JSON.stringify({ type: 'success', id, result: {} }));
      } else if (remote.readyState === WebSocket.OPEN) {
        remote.send(data, TEXT);
      } else {
        early.push(data);
      }
    });
    remote.on('open', () => early.splice(0).forEach((message) => remote.send(message, TEXT)));
    remote.on('message', (data) => driver.send(data, TEXT));
    remote.on('close', () => driver.close());
    remote.on('error', () => driver.close());
    driver.on('close', () => remote.close());
  });
}
