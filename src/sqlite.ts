export type { DurableObjectStorage } from './store/sqlite/durable-object-driver.ts';
export type { PreparedDatabase, PreparedStatement } from './store/sqlite/prepared-driver.ts';
export { sqlite } from './store/sqlite/sqlite-store-factory.ts';
export type { SqliteDatabase } from './store/sqlite/sqlite-store-factory.ts';
