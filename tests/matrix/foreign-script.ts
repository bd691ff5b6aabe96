/** Deeds of another script of the origin to the log's database. Each runs in a page. */

export function deleteDatabase(): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase('tablog/shop');
    request.addEventListener('success', () => resolve());
    request.addEventListener('error', () => reject(request.error!));
  });
}

/** Upgrades the database, and holds it for `ms` against everybody else. */
export function upgradeDatabase(ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = indexedDB.open('tablog/shop');
    look.addEventListener('error', () => reject(look.error!));
    look.addEventListener('success', () => {
      const { version } = look.result;
      look.result.close();
      const request = indexedDB.open('tablog/shop', version + 1);
      request.addEventListener('error', () => reject(request.error!));
      request.addEventListener('success', () => {
        setTimeout(() => {
          request.result.close();
          resolve();
        }, ms);
      });
    });
  });
}

/** Holds all stores of the database in a transaction for `ms`. */
export function holdDatabase(ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('tablog/shop');
    request.addEventListener('error', () => reject(request.error!));
    request.addEventListener('success', () => {
      const db = request.result;
      const until = performance.now() + ms;
      const transaction = db.transaction([...db.objectStoreNames], 'readwrite');
      const store = transaction.objectStore('meta');
      const keep = (): void => {
        if (performance.now() < until) store.get('none').addEventListener('success', keep);
      };
      keep();
      transaction.addEventListener('complete', () => {
        db.close();
        resolve();
      });
    });
  });
}

export type RowChange = 'overwritten' | 'removed' | 'of another type';

/**
 * Changes one stored segment. `chance`: which, from 0 to 1. Resolves to the store and the key of the
 * row.
 */
export function changeSegment({
  change,
  chance,
}: {
  readonly change: RowChange;
  readonly chance: number;
}): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('tablog/shop');
    request.addEventListener('error', () => reject(request.error!));
    request.addEventListener('success', () => {
      const db = request.result;
      const names = [...db.objectStoreNames].filter((name) => name.startsWith('partition-'));
      const transaction = db.transaction(names, 'readwrite');
      const found: { readonly name: string; readonly key: number }[] = [];
      let left = names.length;
      for (const name of names) {
        const keys = transaction.objectStore(name).getAllKeys(IDBKeyRange.bound(0, Infinity));
        keys.addEventListener('success', () => {
          for (const key of keys.result) found.push({ name, key: key as number });
          if (--left === 0) changeOne();
        });
      }
      let changed = '';
      const changeOne = (): void => {
        const { name, key } = found[Math.floor(chance * found.length)]!;
        changed = `${name}/${key}`;
        const store = transaction.objectStore(name);
        if (change === 'removed') {
          store.delete(key);
        } else if (change === 'of another type') {
          store.put('not a segment', key);
        } else {
          const row = store.get(key);
          row.addEventListener('success', () => {
            const bytes = new Uint8Array(row.result as ArrayBuffer);
            for (let i = Math.floor(bytes.length / 2); i < bytes.length; i += 7) bytes[i]! ^= 0x5a;
            store.put(bytes.buffer, key);
          });
        }
      };
      transaction.addEventListener('abort', () => reject(transaction.error!));
      transaction.addEventListener('complete', () => {
        db.close();
        resolve(changed);
      });
    });
  });
}
