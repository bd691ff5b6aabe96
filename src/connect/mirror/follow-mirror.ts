import { checkEach, checkFunction, mistake } from '../../base/argument.ts';
import { abortable } from '../../base/abortable.ts';
import { deferred } from '../../base/deferred.ts';
import type { Log } from '../../client/log.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { Source, SourceContext } from '../source.ts';
import { connectSource } from '../source-connector.ts';
import type { SourceConnector, SourceOptions } from '../source-connector.ts';
import { CLOSE_FATAL, closePort, isClosed, opened } from './mirror-port.ts';
import type { MirrorPort } from './mirror-port.ts';
import { serveMirror } from './serve-mirror.ts';
import type { ServeMirrorOptions } from './serve-mirror.ts';

export interface FollowMirrorOptions
  extends
    Pick<SourceOptions, 'name' | 'backoffMs' | 'maxBackoffMs' | 'onStatus'>,
    ServeMirrorOptions {
  /** Opens a port to where the records come from, as `() => new WebSocket(url)`, again and again. */
  readonly port: () => MirrorPort | Promise<MirrorPort>;
}

/**
 * Keeps mirrors of topics elsewhere, as of a gateway's Kafka: opens a port, serves it as `serveMirror()`
 * does, and opens another one after a wait when it has ended. Of the tabs that do so under the same name
 * one does at a time. `stored` of its status stays 0: see `describeMirrors()`.
 *
 * Throws a `TypeError` or a `RangeError` for a bad option, and `CLOSED` once the log is closed.
 */
export function followMirror(log: Log, options: FollowMirrorOptions): SourceConnector {
  if (typeof log?.consumer !== 'function') throw mistake('followMirror() takes an open log', log);
  const {
    port: dial,
    topics,
    nameOf,
    ...others
  } = checkEach<FollowMirrorOptions>('followMirror()', options, {
    name: () => {}, // connectSource() and serveMirror() check it and the others
    backoffMs: () => {},
    maxBackoffMs: () => {},
    onStatus: () => {},
    topics: () => {},
    nameOf: () => {},
    port: (_, value) => checkFunction('port must be a function', value),
  });
  const { name } = others;
  if (name === undefined) throw new TypeError('followMirror() needs name');
  if (dial === undefined) throw new TypeError('followMirror() needs port');
  const served = {
    ...(topics !== undefined && { topics }),
    ...(nameOf !== undefined && { nameOf }),
  };
  const source: Source = {
    // oxlint-disable-next-line eslint/require-yield -- the records come by the port
    async *read(_, { signal, connected }: SourceContext) {
      const dialled = Promise.resolve(dial());
      // A port that comes when nobody waits for it any more is closed.
      const hangUp = (): void => void dialled.then(closePort).catch(() => {});
      const port = await abortable(signal, dialled).catch((error: unknown) => {
        hangUp();
        throw error;
      });
      const server = serveMirror(log, port, served);
      try {
        // A socket that does not open tells its end.
        void opened(port)
          .then(connected)
          .catch(() => {});
        throw await endOf(port, signal);
      } finally {
        await server.close();
        closePort(port);
      }
    },
  };
  return connectSource(log, { ...others, name, source, topic: 'connect-sources' });
}

/** Resolves when the port has ended, with the reason. */
async function endOf(port: MirrorPort, signal: AbortSignal): Promise<SinkError> {
  const ended = deferred<SinkError>();
  const end = (event: Event): void => {
    const { code, reason } = event as Partial<CloseEvent>;
    const why = reason === undefined || reason === '' ? '' : `: ${reason}`;
    const kind = code === CLOSE_FATAL ? 'fatal' : 'retry';
    ended.resolve(new SinkError(kind, `the port has ended${why}`));
  };
  for (const type of ['close', 'error', 'messageerror']) port.addEventListener(type, end);
  signal.addEventListener('abort', end);
  if (signal.aborted || isClosed(port)) end(new Event('close'));
  const error = await ended.promise;
  for (const type of ['close', 'error', 'messageerror']) port.removeEventListener(type, end);
  signal.removeEventListener('abort', end);
  return error;
}
