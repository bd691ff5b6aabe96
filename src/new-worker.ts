// The worker's file lies beside this file, and beside every bundle that includes this file.
// Bundlers find the worker's file by the literal form of both expressions below:
// `new …Worker(new URL(…, import.meta.url), { type: 'module', … })`.

export function newSharedWorker(name: string): SharedWorker {
  return new SharedWorker(new URL('./tablog-worker.js', import.meta.url), { type: 'module', name });
}

export function newWorker(name: string): Worker {
  return new Worker(new URL('./tablog-worker.js', import.meta.url), { type: 'module', name });
}
