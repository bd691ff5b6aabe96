import { TablogError, json, openLog, topic } from 'tablog';

interface Note {
  id: string; // given by the application, so that a note that was sent twice is known
  text: string;
}
const notes = topic('notes', { value: json<Note>() });
const log = await openLog('desk');
await log.admin.createTopics([notes]);
const producer = log.producer();

/** Resolves to whether the note is stored; if not, show that, and let the user try again. */
export async function save(note: Note): Promise<boolean> {
  try {
    await producer.send(notes, { value: note });
    return true;
  } catch (error) {
    if (error instanceof TablogError) return false; // OUTCOME_UNKNOWN: it may be stored after all
    throw error;
  }
}

/** Reads each note once, and goes on behind what the browser has lost. */
export async function readNotes(read: (note: Note) => void, lost: (count: number) => void) {
  const reader = log.consumer({ topics: [notes], from: 'earliest' });
  const seen = new Set<string>();
  for (;;) {
    try {
      for await (const { value } of reader) {
        if (value === null || seen.has(value.id)) continue;
        seen.add(value.id);
        read(value);
      }
      return;
    } catch (error) {
      const range = lostRange(error);
      if (range === undefined) throw error;
      lost(range.to - range.from);
      await reader.seek(range.to, { topic: notes, partition: range.partition });
    }
  }
}

function lostRange(error: unknown) {
  if (!(error instanceof TablogError)) return undefined;
  if (error.code !== 'LOG_CORRUPT' && error.code !== 'BATCH_CORRUPT') return undefined;
  const { partition, from, to } = error.details; // `to` is the first offset behind the range
  if (typeof partition !== 'number' || typeof from !== 'number' || typeof to !== 'number') {
    return undefined; // a damaged row of the log itself, which the error names by store and key
  }
  return { partition, from, to };
}
