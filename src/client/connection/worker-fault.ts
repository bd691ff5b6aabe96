import { deadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { WORKER_FAILED } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { ErrorDetails } from '../../base/error.ts';
import { startWorker } from './worker-host.ts';
import type { WorkerKind } from './worker-host.ts';
import { addressOf, fetchAnswer, importsOf } from './worker-file.ts';
import type { Answer } from './worker-file.ts';
import type { WorkerUrl } from './worker-url.ts';

interface Attempt {
  readonly log: string;
  readonly kind: WorkerKind;
  readonly workerUrl: WorkerUrl | undefined;
  readonly clock: Clock;
}

/** A fault of the worker's file or its address. */
interface Fault {
  /** The name of the fault in `error.details.fault`. */
  readonly fault: string;
  /** The end of the error's sentence, which begins with the file's address. */
  readonly says: string;
  /** The next step for the reader of the error. Default: the next step of `WORKER_FAILED`. */
  readonly next?: string;
  /** false: the page or its server has to change first. */
  readonly retriable?: boolean;
}

const COPY =
  'Serve tablog/worker (dist/tablog-worker.js of the package) at that address, or pass where it is: openLog(name, { workerUrl }).';

const REFUSAL_DEADLINE_MS = 1_000;

/** JavaScript's media types: https://mimesniff.spec.whatwg.org/#javascript-mime-type. */
const SCRIPT =
  /^(text|application)\/(x-)?(javascript|ecmascript)$|^text\/(jscript|livescript|javascript1\.[0-5])$/;

/**
 * `error` with the address of the worker's file and the fault of the file. The browser's error
 * event gives no reason for a file that does not load, so the page fetches the file once more.
 */
export async function explainWorkerFailure(
  error: TablogError,
  attempt: Attempt,
): Promise<TablogError> {
  const needed = attempt.kind === 'shared' ? 'SharedWorker' : 'Worker';
  if (!(needed in globalThis)) return missing(needed, error);
  const url = addressOf(attempt.kind, attempt.workerUrl);
  if (url === undefined) return error;
  const { reason } = error.details;
  const shown = url.href.length > 300 ? `${url.href.slice(0, 300)}…` : url.href;
  let details: ErrorDetails = { ...error.details, url: shown };
  let found: Fault | undefined;
  if (reason === 'refused') found = faultOfRefusal(url, attempt.workerUrl, error.cause);
  if (reason === 'notLoaded') {
    let answer: Answer | undefined;
    found = faultOfAddress(url);
    try {
      answer = found === undefined ? await fetchAnswer(url, attempt.clock) : undefined;
    } catch (cause) {
      found = unreachable(cause);
    }
    if (answer !== undefined) {
      const { status, contentType } = answer;
      details = { ...details, status, contentType };
      found = faultOfAnswer(url, answer) ?? (await faultOfPage(attempt));
    }
  }
  const { cause, happened } = error;
  if (found === undefined) {
    return new TablogError(error, `${happened} (${shown})`, { details, cause });
  }
  const { fault, says, next = error.next, retriable = error.retriable } = found;
  return new TablogError(
    { ...WORKER_FAILED, next, retriable },
    `the worker did not start: ${shown} ${says}`,
    { details: { ...details, fault }, cause },
  );
}

/**
 * The error of a context without workers: a service worker, Node, or an Android browser without
 * SharedWorker.
 */
function missing(needed: 'SharedWorker' | 'Worker', { details, cause }: TablogError): TablogError {
  const next =
    needed === 'SharedWorker'
      ? "Leave host out, or pass { host: 'dedicated' }: the log is the same."
      : "Pass { host: inline() } of 'tablog/inline'.";
  const rule = { ...WORKER_FAILED, next, retriable: false };
  const happened = `there is no ${needed} here`;
  return new TablogError(rule, happened, { details: { ...details, fault: 'missing' }, cause });
}

/** The fault for which the worker's constructor throws. */
function faultOfRefusal(url: URL, given: WorkerUrl | undefined, cause: unknown): Fault | undefined {
  const trusted = Object.prototype.toString.call(given) === '[object TrustedScriptURL]';
  if (cause instanceof TypeError && 'trustedTypes' in globalThis && !trusted) {
    return {
      fault: 'trustedTypes',
      says: "is not a TrustedScriptURL, and the page takes nothing else (Content-Security-Policy: require-trusted-types-for 'script')",
      next: 'Pass openLog(name, { workerUrl: policy.createScriptURL(url) }), of a policy by trustedTypes.createPolicy().',
      retriable: false,
    };
  }
  return faultOfAddress(url);
}

/** The fault of an address from which browsers load no worker, independent of the file. */
function faultOfAddress(url: URL): Fault | undefined {
  const { protocol, pathname, search, origin } = url;
  if (protocol === 'file:') {
    const fromDisk = (globalThis.location?.protocol ?? protocol) === protocol;
    const next = fromDisk ? 'Serve the page by http, from localhost for instance.' : COPY;
    return { fault: 'file', says: 'is a file, which no worker is loaded from', next };
  }
  if (protocol !== 'http:' && protocol !== 'https:' && !isSchemeOfPage(protocol)) {
    return {
      fault: 'scheme',
      says: `is a ${protocol} URL, which the browser or the Content-Security-Policy refuses (worker-src)`,
      next: COPY,
    };
  }
  // Vite's cache folder can be renamed. The query `worker_file` marks a worker's file under any
  // folder.
  if (
    pathname.includes('/.vite/') ||
    (/[?&]worker_file\b/.test(search) && pathname.includes('/deps/'))
  ) {
    return {
      fault: 'prebundled',
      says: 'is not there: the dev server of Vite 7 and older bundles the package ahead, without its worker',
      next: "Write optimizeDeps: { exclude: ['tablog'] } in vite.config, then start the dev server again.",
      retriable: false,
    };
  }
  const { location } = globalThis;
  if (location !== undefined && origin !== location.origin) {
    return {
      fault: 'crossOrigin',
      says: `is of another origin than the page (${location.origin}), and browsers start no worker from there`,
      next: 'Copy tablog/worker (dist/tablog-worker.js of the package) to the origin of the page, and pass openLog(name, { workerUrl }).',
      retriable: false,
    };
  }
  return undefined;
}

/** Whether the page's own scheme serves the file, as in Electron and Capacitor. */
function isSchemeOfPage(protocol: string): boolean {
  return !['blob:', 'data:'].includes(protocol) && protocol === globalThis.location?.protocol;
}

function unreachable(cause: unknown): Fault {
  const online = globalThis.navigator?.onLine ?? true;
  return {
    fault: 'unreachable',
    says: `could not be fetched (${String(cause)})${online ? '' : ': the browser is offline'}`,
    next: 'Try again when the server can be reached.',
  };
}

function faultOfAnswer(url: URL, answer: Answer): Fault | undefined {
  const { status, contentType, headers, text } = answer;
  const from = answer.url === '' || answer.url === url.href ? '' : `, from ${answer.url}`;
  if (status >= 400) {
    return { fault: 'status', says: `was answered with status ${status}${from}`, next: COPY };
  }
  if (contentType === 'text/html') {
    const says = `is HTML${from}: many servers answer an unknown path with their index page`;
    return { fault: 'html', says, next: COPY };
  }
  if (!SCRIPT.test(contentType)) {
    const says = `is served as ${contentType === '' ? 'no type at all' : contentType}${from}`;
    return { fault: 'contentType', says, next: 'Serve it as text/javascript.' };
  }
  const imports = importsOf(text);
  const bare = imports.find((specifier) => !/^(\.{0,2}\/|[a-z][\w+.-]*:)/i.test(specifier));
  if (bare !== undefined) {
    return {
      fault: 'bareImport',
      says: `imports '${bare}' by its bare name, which no browser finds for a worker: the file is not bundled`,
      next: 'Serve tablog/worker (dist/tablog-worker.js of the package) instead: it needs no other file.',
    };
  }
  if (imports.length > 0) {
    const says = `is served, and imports what may not be: ${imports.slice(0, 5).join(', ')}`;
    return { fault: 'imports', says, next: `Look at these in the network panel. ${COPY}` };
  }
  if (globalThis.crossOriginIsolated && !headers.has('cross-origin-embedder-policy')) {
    return {
      fault: 'embedderPolicy',
      says: 'is served without the header Cross-Origin-Embedder-Policy, which the page has',
      next: 'Serve it with the same header.',
    };
  }
  return undefined;
}

/**
 * The fault of the page, for a file without a fault. The worker is started once more, so that the
 * browser reports a violation of the Content-Security-Policy.
 */
async function faultOfPage({ kind, log, workerUrl, clock }: Attempt): Promise<Fault | undefined> {
  const directive = await new Promise<string | undefined>((resolve) => {
    const listening = new AbortController();
    const onViolation = (event: SecurityPolicyViolationEvent): void => {
      if (event.disposition === 'enforce') end(event.effectiveDirective);
    };
    const end = (directive?: string): void => {
      cancel();
      listening.abort();
      host?.close();
      resolve(directive);
    };
    const cancel = deadline(clock, REFUSAL_DEADLINE_MS, () => end());
    const { signal } = listening;
    globalThis.addEventListener('securitypolicyviolation', onViolation, { signal });
    let host: ReturnType<typeof startWorker> | undefined;
    try {
      host = startWorker(kind, log, 0, workerUrl);
    } catch {
      end();
    }
  });
  if (directive === undefined) return undefined;
  return {
    fault: 'csp',
    says: `is refused by the page's Content-Security-Policy (${directive})`,
    next: "Let it have worker-src 'self'.",
    retriable: false,
  };
}
