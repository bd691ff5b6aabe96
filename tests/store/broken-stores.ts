import { cloneRow } from '../../src/store/clone-row.ts';
import { HEAD_KEY, META, logRef, topicsVersionRef } from '../../src/store/schema.ts';
import type {
  Key,
  PartitionWriter,
  RowRef,
  SegmentsRead,
  SegmentsRequest,
  Store,
  Writer,
} from '../../src/store/store.ts';

/** Makes a store with one defect, of one that has none. */
type Break = (store: Store) => Store;

type Row = Readonly<Record<string, unknown>>;

/** `store` with other methods in place of its own. */
function broken(store: Store, change: Partial<Store>): Store {
  return {
    read: (refs) => store.read(refs),
    readAll: (name) => store.readAll(name),
    readSegments: (requests) => store.readSegments(requests),
    update: (refs, decide, options) => store.update(refs, decide, options),
    updatePartitions: (refs, decide, options) => store.updatePartitions(refs, decide, options),
    closed: store.closed,
    close: (reason) => store.close(reason),
    ...change,
  };
}

/** `store` whose transactions write by other means. */
function brokenWriter(
  store: Store,
  change: (write: PartitionWriter) => Partial<PartitionWriter>,
): Store {
  return broken(store, {
    update: (refs, decide, options) =>
      store.update(
        refs,
        (rows, write) => {
          const all = {
            ...write,
            takePartitions: () => [],
            freePartitions() {},
            topicsChanged() {},
          };
          return decide(rows, { ...write, ...change(all) });
        },
        options,
      ),
    updatePartitions: (refs, decide, options) =>
      store.updatePartitions(
        refs,
        (rows, write) => decide(rows, { ...write, ...change(write) }),
        options,
      ),
  });
}

/** `store` whose segments are read by other means. */
function brokenReads(
  store: Store,
  change: (read: SegmentsRead, request: SegmentsRequest) => Partial<SegmentsRead>,
  ask: (request: SegmentsRequest) => SegmentsRequest = (request) => request,
): Store {
  return broken(store, {
    async readSegments(requests) {
      const reads = await store.readSegments(requests.map(ask));
      return reads.map((read, i) => ({ ...read, ...change(read, requests[i]!) }));
    },
  });
}

/** `store` whose rows come back changed. */
function brokenRows(store: Store, change: (row: unknown, ref: RowRef<unknown>) => unknown): Store {
  return broken(store, {
    async read(refs) {
      const rows = await store.read(refs);
      return rows.map((row, i) => change(row, refs[i]!)) as unknown as typeof rows;
    },
  });
}

const isNumber = (key: Key): key is number => typeof key === 'number';

/** One defect each, by what is wrong with the store. */
export const DEFECTS: Readonly<Record<string, Break>> = {
  'has no log row': (store) =>
    brokenRows(store, (row, { store, key }) =>
      store === META && key === logRef.key ? undefined : row,
    ),

  'has a log row of another format': (store) =>
    brokenRows(store, (row, { key, store }) =>
      store === META && key === logRef.key ? { ...(row as Row), format: 2 } : row,
    ),

  'has no version of the topics': (store) =>
    brokenRows(store, (row, { key, store }) =>
      store === META && key === topicsVersionRef.key ? undefined : row,
    ),

  'gives all logs one id': (store) =>
    brokenRows(store, (row, { key, store }) =>
      store === META && key === logRef.key ? { ...(row as Row), logId: 'x'.repeat(36) } : row,
    ),

  'loses every tenth put': (store) => {
    let puts = 0;
    return brokenWriter(store, (write) => ({
      put: (...args) => void (++puts % 10 === 0 || write.put(...args)),
    }));
  },

  'loses every deletion': (store) => brokenWriter(store, () => ({ delete() {} })),

  'loses every deletion of a range': (store) =>
    brokenWriter(store, () => ({ deleteSegments() {} })),

  'deletes the segment after a range, too': (store) =>
    brokenWriter(store, (write) => ({
      deleteSegments: (name, from, to) => write.deleteSegments(name, from, to + 1),
    })),

  'clears nothing': (store) => brokenWriter(store, () => ({ clear() {} })),

  'refuses an update without rows, as an IndexedDB transaction without stores': (store) =>
    broken(store, {
      async update(refs, decide, options) {
        if (refs.length === 0) throw new TypeError('no store was named');
        return store.update(refs, decide, options);
      },
    }),

  'reads rows in the order of the refs reversed': (store) =>
    broken(store, {
      async read(refs) {
        const rows = await store.read(refs);
        return rows.toReversed() as unknown as typeof rows;
      },
    }),

  'writes deletions before everything else': (store) => {
    const sorted = (write: Writer): { readonly writer: Writer; readonly flush: () => void } => {
      const puts: (() => void)[] = [];
      const writer: Writer = {
        ...write,
        put: (...args) => {
          const copy = cloneRow(args[2]);
          puts.push(() => write.put(args[0], args[1], copy));
        },
      };
      return { writer, flush: () => puts.forEach((put) => put()) };
    };
    return broken(store, {
      update: (refs, decide, options) =>
        store.update(
          refs,
          (rows, write) => {
            const { writer, flush } = sorted(write);
            const result = decide(rows, writer);
            flush();
            return result;
          },
          options,
        ),
    });
  },

  'reads all rows in another order': (store) =>
    broken(store, {
      async readAll<T>(name: string) {
        return (await store.readAll<T>(name)).toReversed();
      },
    }),

  'takes arrays as keys by their first element': (store) => {
    const first = (key: Key): Key => (typeof key === 'object' ? key[0]! : key);
    const inner = brokenWriter(store, (write) => ({
      put: (name, key, value) => write.put(name, first(key), value),
    }));
    return broken(inner, {
      read: (refs) => {
        const mapped = refs.map(({ store: name, key }) => ({ store: name, key: first(key) }));
        return store.read(mapped) as never;
      },
    });
  },

  'stores values as JSON': (store) =>
    brokenWriter(store, (write) => ({
      put: (name, key, value) =>
        write.put(name, key, isNumber(key) ? value : JSON.parse(JSON.stringify(value ?? null))),
    })),

  'hands decide no rows': (store) =>
    broken(store, {
      update: (refs, decide, options) =>
        store.update(
          refs,
          (_, write) => decide(refs.map(() => undefined) as never, write),
          options,
        ),
    }),

  'hands a decide that takes partition stores no rows': (store) =>
    broken(store, {
      updatePartitions: (refs, decide, options) =>
        store.updatePartitions(
          refs,
          (_, write) => decide(refs.map(() => undefined) as never, write),
          options,
        ),
    }),

  'has no result of decide': (store) =>
    broken(store, {
      update: async (refs, decide, options) => {
        await store.update(refs, (rows, write) => void decide(rows, write), options);
        return undefined as never;
      },
    }),

  'is not atomic: stores what was written before decide threw': (store) => {
    const keep = (thrown: { error?: unknown }, decide: () => unknown): unknown => {
      try {
        return decide();
      } catch (error) {
        thrown.error = error;
        return undefined;
      }
    };
    return broken(store, {
      update: async (refs, decide, options) => {
        const thrown: { error?: unknown } = {};
        const result = await store.update(
          refs,
          (rows, write) => keep(thrown, () => decide(rows, write)) as never,
          options,
        );
        if ('error' in thrown) throw thrown.error;
        return result;
      },
      updatePartitions: async (refs, decide, options) => {
        const thrown: { error?: unknown } = {};
        const result = await store.updatePartitions(
          refs,
          (rows, write) => keep(thrown, () => decide(rows, write)) as never,
          options,
        );
        if ('error' in thrown) throw thrown.error;
        return result;
      },
    });
  },

  'rejects with an error of its own when decide throws': (store) =>
    broken(store, {
      update: (refs, decide, options) =>
        store.update(refs, decide, options).catch(() => {
          throw new Error('it failed');
        }),
      updatePartitions: (refs, decide, options) =>
        store.updatePartitions(refs, decide, options).catch(() => {
          throw new Error('it failed');
        }),
    }),

  'lets a transaction write where it has read nothing': (store) =>
    broken(store, {
      update: (refs, decide, options) =>
        store.update(
          [...refs, { store: 'offsets', key: 'any' }],
          decide as never,
          options,
        ) as never,
    }),

  'is not serial: decides upon what was read before': (store) =>
    broken(store, {
      update: async (refs, decide, options) => {
        const seen = await store.read(refs);
        await Promise.resolve();
        return store.update(refs, (_, write) => decide(seen, write), options);
      },
    }),

  'reads rows one after the other': (store) =>
    broken(store, {
      async read(refs) {
        const rows: unknown[] = [];
        for (const ref of refs) {
          rows.push((await store.read([ref]))[0]);
          for (let turn = 0; turn < 3; turn++) await Promise.resolve();
        }
        return rows as never;
      },
    }),

  'returns shared rows': (store) => {
    const shared = new Map<string, unknown>();
    return brokenRows(store, (row, { store: name, key }) => {
      if (name === META || isNumber(key) || typeof row !== 'object') return row;
      const address = `${name}/${String(key)}`;
      if (!shared.has(address)) shared.set(address, row);
      return shared.get(address);
    });
  },

  'returns shared rows from readAll': (store) => {
    const shared = new Map<string, unknown[]>();
    return broken(store, {
      async readAll<T>(name: string) {
        const all = await store.readAll<T>(name);
        const before = shared.get(name) as T[] | undefined;
        if (before?.length === all.length) return before;
        shared.set(name, all);
        return all;
      },
    });
  },

  'copies values when the transaction ends': (store) => {
    const late = (write: Writer): { readonly writer: Writer; readonly flush: () => void } => {
      const calls: (() => void)[] = [];
      const writer: Writer = {
        put: (...args) => void calls.push(() => write.put(...args)),
        delete: (...args) => void calls.push(() => write.delete(...args)),
        deleteSegments: (...args) => void calls.push(() => write.deleteSegments(...args)),
        clear: (name) => void calls.push(() => write.clear(name)),
      };
      return { writer, flush: () => calls.forEach((call) => call()) };
    };
    return broken(store, {
      update: (refs, decide, options) =>
        store.update(
          refs,
          (rows, write) => {
            const { writer, flush } = late(write);
            const result = decide(rows, writer);
            flush();
            return result;
          },
          options,
        ),
    });
  },

  'answers before it has stored': (store) =>
    broken(store, {
      async update(refs, decide, options) {
        const later = async (): Promise<void> => {
          for (let turn = 0; turn < 3; turn++) await Promise.resolve();
          await store.update(refs, decide, options);
        };
        void later().catch(() => {});
        return undefined as never;
      },
    }),

  'refuses strict durability': (store) =>
    broken(store, {
      update: async (refs, decide, options) => {
        if (options?.durability === 'strict') throw new Error('not here');
        return store.update(refs, decide, options);
      },
    }),

  'gives one partition store twice': (store) =>
    brokenWriter(store, (write) => ({
      takePartitions: (count) => {
        const numbers = write.takePartitions(count);
        return numbers.map((number) => Math.min(number, 3));
      },
    })),

  'gives one partition store too few': (store) =>
    brokenWriter(store, (write) => ({
      takePartitions: (count) => write.takePartitions(count).slice(0, 140),
    })),

  'begins each transaction with the same partition stores': (store) =>
    broken(store, {
      updatePartitions: (refs, decide, options) =>
        store.updatePartitions(
          refs,
          (rows, write) => {
            let next = 0;
            const takePartitions = (count: number): readonly number[] => {
              write.takePartitions(Math.max(count - 100, 0));
              write.takePartitions(Math.min(count, 100));
              next += count;
              return Array.from({ length: count }, (_, i) => next - count + i);
            };
            return decide(rows, { ...write, takePartitions });
          },
          options,
        ),
    }),

  'gives every take of one transaction the same partition stores': (store) =>
    broken(store, {
      updatePartitions: (refs, decide, options) =>
        store.updatePartitions(
          refs,
          (rows, write) => {
            let taken: readonly number[] = [];
            const takePartitions = (count: number): readonly number[] => {
              if (taken.length < count) taken = write.takePartitions(count);
              return taken.slice(0, count);
            };
            return decide(rows, { ...write, takePartitions });
          },
          options,
        ),
    }),

  'gives partition stores with rows in them': (store) =>
    brokenReads(store, ({ segments }) =>
      segments.length > 0 ? {} : { segments: [{ baseOffset: 0, bytes: new ArrayBuffer(1) }] },
    ),

  'fails readers while partition stores are made': (store) => {
    let making = 0;
    return broken(store, {
      async updatePartitions(refs, decide, options) {
        making++;
        try {
          for (let turn = 0; turn < 3; turn++) await Promise.resolve();
          return await store.updatePartitions(refs, decide, options);
        } finally {
          making--;
        }
      },
      async update(refs, decide, options) {
        if (making > 0) throw new Error('not now');
        return store.update(refs, decide, options);
      },
    });
  },

  'fails one of two who take at once': (store) => {
    let making = 0;
    return broken(store, {
      async updatePartitions(refs, decide, options) {
        if (making++ > 0) throw new Error('not now');
        try {
          await Promise.resolve();
          return await store.updatePartitions(refs, decide, options);
        } finally {
          making--;
        }
      },
    });
  },

  'keeps the rows of partition stores that it gets back': (store) =>
    brokenWriter(store, () => ({ freePartitions() {} })),

  'never raises the version of the topics': (store) =>
    brokenWriter(store, () => ({ topicsChanged() {} })),

  'raises the version of the topics twice': (store) =>
    brokenRows(store, (row, ref) => {
      if (ref.store !== META || ref.key !== topicsVersionRef.key) return row;
      const { version } = row as { version: number };
      return { ...(row as Row), version: version * 2 };
    }),

  'loses the log row when partition stores are taken': (store) => {
    let isTaken = false;
    const inner = brokenRows(store, (row, ref) =>
      isTaken && ref.store === META && ref.key === logRef.key ? undefined : row,
    );
    return broken(inner, {
      updatePartitions: (refs, decide, options) =>
        store.updatePartitions(
          refs,
          (rows, write) => {
            isTaken = true;
            return decide(rows, write);
          },
          options,
        ),
    });
  },

  'reads segments without their head': (store) => brokenReads(store, () => ({ head: undefined })),

  'gives every request the head of the first one': (store) =>
    broken(store, {
      async readSegments(requests) {
        const reads = await store.readSegments(requests);
        return reads.map((read) => ({ ...read, head: reads[0]!.head }));
      },
    }),

  'answers segment requests in another order': (store) =>
    broken(store, {
      async readSegments(requests) {
        return (await store.readSegments(requests)).toReversed();
      },
    }),

  'begins with the segment after the one that covers the offset': (store) =>
    brokenReads(
      store,
      () => ({}),
      (request) => ({ ...request, from: request.from === 0 ? 0 : request.from + 10 }),
    ),

  'finds nothing where no segment covers the offset': (store) =>
    brokenReads(store, ({ segments }, { from }) =>
      segments.length > 0 && segments[0]!.baseOffset > from
        ? { segments: [], nextBaseOffset: undefined }
        : {},
    ),

  'reads one segment more than the bytes allow': (store) =>
    brokenReads(
      store,
      () => ({}),
      (request) => ({ ...request, maxBytes: request.maxBytes + 100 }),
    ),

  'reads nothing where not one byte is wanted': (store) =>
    brokenReads(store, ({ segments }, { maxBytes }) =>
      maxBytes === 0 ? { segments: [], nextBaseOffset: segments[0]?.baseOffset } : {},
    ),

  'pays no attention to maxRows': (store) =>
    brokenReads(
      store,
      () => ({}),
      ({ store: name, from, maxBytes }) => ({ store: name, from, maxBytes }),
    ),

  'tells of no segment after those that it read': (store) =>
    brokenReads(store, () => ({ nextBaseOffset: undefined })),

  'reads no more than 100 segments': (store) =>
    brokenReads(store, ({ segments }) => ({ segments: segments.slice(0, 100) })),

  'leaves out segments that are empty': (store) =>
    brokenReads(store, ({ segments }) => ({
      segments: segments.filter(({ bytes }) => bytes.byteLength > 0),
    })),

  'reads rows that are no buffer as they are': (store) =>
    broken(store, {
      async readSegments(requests) {
        const reads = await store.readSegments(requests);
        return Promise.all(
          reads.map(async (read, i) => {
            const refs = read.segments.map(({ baseOffset }) => ({
              store: requests[i]!.store,
              key: baseOffset,
            }));
            const values = await store.read(refs);
            const segments = read.segments.map(({ baseOffset }, at) => ({
              baseOffset,
              bytes: values[at] as ArrayBuffer,
            }));
            return { ...read, segments };
          }),
        );
      },
    }),

  'sorts offsets as texts': (store) =>
    brokenReads(store, ({ segments }) => ({
      segments: segments.toSorted((a, b) => (String(a.baseOffset) < String(b.baseOffset) ? -1 : 1)),
    })),

  'returns shared buffers of segments': (store) => {
    const shared = new Map<string, ArrayBuffer>();
    return brokenReads(store, ({ segments }, { store: name }) => ({
      segments: segments.map(({ baseOffset, bytes }) => {
        const address = `${name}/${baseOffset}/${bytes.byteLength}`;
        if (!shared.has(address)) shared.set(address, bytes);
        return { baseOffset, bytes: shared.get(address)! };
      }),
    }));
  },

  'deletes the head with a range': (store) =>
    brokenWriter(store, (write) => ({
      deleteSegments: (name, from, to) => {
        write.deleteSegments(name, from, to);
        write.delete(name, HEAD_KEY);
      },
    })),

  'is not open when it is new': (store) => broken(store, { closed: AbortSignal.abort() }),

  'is closed for no reason': (store) => {
    const closing = new AbortController();
    return broken(store, {
      closed: closing.signal,
      close: () => {
        closing.abort();
        store.close();
      },
    });
  },

  'is closed for the reason that was given last': (store) => {
    let reason: unknown;
    const closed = {
      aborted: false,
      get reason() {
        return reason;
      },
    } as unknown as AbortSignal;
    return broken(store, {
      closed,
      close: (given) => {
        (closed as { aborted: boolean }).aborted = true;
        reason = given;
        store.close(given);
      },
    });
  },

  'drops what is in flight when it is closed': (store) =>
    broken(store, {
      readAll: async (name) => {
        const rows = await store.readAll(name);
        await Promise.resolve();
        if (store.closed.aborted) throw store.closed.reason;
        return rows as never;
      },
    }),

  'goes on after it was closed': (store) => {
    const closing = new AbortController();
    return broken(store, { closed: closing.signal, close: (why) => closing.abort(why) });
  },
};
