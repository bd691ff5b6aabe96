import { expect, test } from 'vitest';
import { storeContract } from '../../src/store/contract/store-contract.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import { DEFECTS } from './broken-stores.ts';

const NAMES = storeContract().map(({ name }) => name);

/** The names of the cases that a store with the defect fails. */
async function failedWith(defect: string): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, run } of storeContract()) {
    await run(async () => DEFECTS[defect]!(openMemoryStore())).catch(() => failed.push(name));
  }
  return failed;
}

/** The case that is about each defect; others may fail as well. */
const CASES: Readonly<Record<string, string>> = {
  'has no log row': 'is born with its log row, and with topics of version 0',
  'has a log row of another format': 'is born with its log row, and with topics of version 0',
  'has no version of the topics': 'is born with its log row, and with topics of version 0',
  'gives all logs one id': 'has another id in each log',
  'loses every tenth put': 'finds the segments that a sorted list would',
  'loses every deletion': 'overwrites, deletes, and clears one store without the others',
  'loses every deletion of a range': 'finds no segments of a range that was deleted',
  'deletes the segment after a range, too': 'finds no segments of a range that was deleted',
  'clears nothing': 'overwrites, deletes, and clears one store without the others',
  'refuses an update without rows, as an IndexedDB transaction without stores':
    'reads no rows, and decides by none',
  'reads rows in the order of the refs reversed':
    'reads what was put, and undefined where nothing is',
  'writes deletions before everything else': 'applies the writes of one update in their order',
  'reads all rows in another order': 'reads all rows of a store in the order of their keys',
  'takes arrays as keys by their first element': 'takes arrays as keys',
  'stores values as JSON': 'keeps values of every kind that tablog stores',
  'hands decide no rows': 'hands the rows to decide, and its result to the caller',
  'hands a decide that takes partition stores no rows':
    'hands the rows to a decide that takes partition stores',
  'has no result of decide': 'hands the rows to decide, and its result to the caller',
  'is not atomic: stores what was written before decide threw':
    'writes nothing when decide throws, and rejects with that',
  'rejects with an error of its own when decide throws':
    'changes no topics and no partition stores when decide throws',
  'lets a transaction write where it has read nothing':
    'refuses a write into a store of which no row was read',
  'is not serial: decides upon what was read before': 'runs concurrent updates one after the other',
  'reads rows one after the other': 'reads several rows as of one moment',
  'returns shared rows': 'shares no value with its callers',
  'returns shared rows from readAll': 'shares no value with its callers',
  'copies values when the transaction ends': 'takes a copy at the time of the put',
  'answers before it has stored': 'reads what was put, and undefined where nothing is',
  'refuses strict durability': 'stores with either durability',
  'gives one partition store twice': 'gives as many partition stores as are wanted, each once',
  'gives one partition store too few': 'gives as many partition stores as are wanted, each once',
  'begins each transaction with the same partition stores':
    'gives no partition store to two who take at once',
  'gives every take of one transaction the same partition stores':
    'gives the partition stores of several takes in one transaction',
  'gives partition stores with rows in them': 'gives partition stores that are empty',
  'fails readers while partition stores are made':
    'gives partition stores while others read and write',
  'fails one of two who take at once': 'gives no partition store to two who take at once',
  'keeps the rows of partition stores that it gets back':
    'deletes the rows of partition stores that it gets back',
  'never raises the version of the topics':
    'raises the version of the topics when told, once a transaction',
  'raises the version of the topics twice':
    'raises the version of the topics when told, once a transaction',
  'loses the log row when partition stores are taken':
    'keeps the log row when partition stores are taken',
  'reads segments without their head': 'reads a head and no segments where nothing was appended',
  'gives every request the head of the first one':
    'answers several requests at once, each with its own head',
  'answers segment requests in another order':
    'answers several requests at once, each with its own head',
  'begins with the segment after the one that covers the offset':
    'begins with the segment that covers the offset',
  'finds nothing where no segment covers the offset':
    'begins with the first there is where none covers the offset',
  'reads one segment more than the bytes allow':
    'stops when the bytes are reached, after at least one segment',
  'reads nothing where not one byte is wanted':
    'stops when the bytes are reached, after at least one segment',
  'pays no attention to maxRows': 'stops when there are as many segments as are wanted',
  'tells of no segment after those that it read':
    'tells where the segment after those that it read begins',
  'reads no more than 100 segments': 'goes on across large and small segments, in order',
  'leaves out segments that are empty':
    'reads segments that are empty, or too short for a batch, as they are',
  'reads rows that are no buffer as they are':
    'reads a row that is no buffer as a segment without bytes',
  'sorts offsets as texts': 'sorts offsets as numbers',
  'returns shared buffers of segments': 'hands out copies of segments',
  'deletes the head with a range': 'finds no segments of a range that was deleted',
  'is not open when it is new': 'is open until it is closed, with CLOSED as the reason',
  'is closed for no reason': 'is open until it is closed, with CLOSED as the reason',
  'is closed for the reason that was given last': 'is closed for the reason that was given first',
  'drops what is in flight when it is closed': 'settles what is in flight when it is closed',
  'goes on after it was closed': 'refuses every call after it was closed',
};

test('each defect has its case', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(DEFECTS).sort());
  expect(Object.values(CASES).filter((name) => !NAMES.includes(name))).toEqual([]);
});

test.each(Object.entries(CASES))('a store that %s fails: %s', async (defect, name) => {
  expect(await failedWith(defect)).toContain(name);
});

test('each case fails for a defect that is its own', () => {
  const named = new Set(Object.values(CASES));
  expect(NAMES.filter((name) => !named.has(name))).toEqual([]);
});

test('each case has a name of its own', () => {
  expect(new Set(NAMES).size).toBe(NAMES.length);
});
