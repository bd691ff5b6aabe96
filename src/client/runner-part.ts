import { Part } from './part.ts';
import type * as RunnerModule from './runner.ts';

export const runnerPart: Part<typeof RunnerModule> = new Part('run()', () => import('./runner.ts'));
