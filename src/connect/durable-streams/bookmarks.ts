import type { SinkSource } from '../sink/sink.ts';

/** The storage of a sink's bookmarks, as `localStorage` is. */
export interface BookmarkStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** The place of a batch in its stream. */
export interface Bookmark {
  /** The offset of the stream from which a GET begins with the batch. */
  readonly offset: string;
  /** `from` of the batch, by which it is known again. */
  readonly from: number;
}

/**
 * The places of the last batches. A stream can be read forwards only, so without a bookmark all of it
 * has to be read before its end is known. A bookmark is a hint: where another message than its batch
 * is found there, the stream is another one, and is read from its beginning.
 */
export class Bookmarks {
  readonly #storage: BookmarkStorage | null | undefined;

  /** Default of `storage`: the page's localStorage, where it has one. */
  constructor(storage: BookmarkStorage | null | undefined) {
    this.#storage = storage;
  }

  get(source: SinkSource): Bookmark | undefined {
    try {
      const text = this.#storageOf()?.getItem(keyOf(source));
      const { offset, from } = JSON.parse(text ?? '{}') as Partial<Bookmark>;
      return typeof offset === 'string' && from !== undefined ? { offset, from } : undefined;
    } catch {
      return undefined; // the browser throws where site data is blocked
    }
  }

  set(source: SinkSource, bookmark: Bookmark): void {
    try {
      this.#storageOf()?.setItem(keyOf(source), JSON.stringify(bookmark));
    } catch {
      // As above, or the storage is full: the stream is read from its beginning.
    }
  }

  #storageOf(): BookmarkStorage | null | undefined {
    return this.#storage === undefined ? globalThis.localStorage : this.#storage;
  }
}

function keyOf({ id }: SinkSource): string {
  return `tablog/durable-streams/${id}`;
}
