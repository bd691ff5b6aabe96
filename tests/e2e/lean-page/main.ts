import { useLog } from '../use-log.ts';
import * as tablog from '../../../src/index.ts';

/** A page that has the package alone, so that its parts are files of their own. */
const api = { ...tablog, useLog, log: undefined as tablog.Log | undefined };

export type LeanApi = typeof api;

Object.assign(globalThis, { api });
