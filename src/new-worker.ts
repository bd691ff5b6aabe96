// The worker's file lies beside this one, and beside whatever bundle has taken this one in.
// Bundlers find it by the two literals `new …Worker(new URL(…, import.meta.url), { type: 'module',
// … })`.

export function newSharedWorker(name: string): SharedWorker {
  return new SharedWorker(new URL('./tablog-worker.js', import.meta.url), { type: 'module', name });
}

export function newWorker(name: string): Worker {
  return new Worker(new URL('./tablog-worker.js', import.meta.url), { type: 'module', name });
}
