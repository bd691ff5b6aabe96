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
