import type { AssignorName } from '../protocol/group.ts';
import type { Assignor } from './assignor.ts';
import { assignRange } from './range-assignor.ts';
import { assignRoundRobin } from './round-robin-assignor.ts';
import { assignSticky } from './sticky-assignor.ts';

export const ASSIGNORS: Readonly<Record<AssignorName, Assignor>> = {
  sticky: assignSticky,
  range: assignRange,
  roundRobin: assignRoundRobin,
};
