import { onTestFinished } from 'vitest';
import { LeaderElection } from '../../src/platform/locks/leader-election.ts';

export interface Ballot {
  readonly name: string;
  readonly told: string[];
  /** Who was elected, and was not told of an end. */
  readonly leading: Set<string>;
  /** Stands for the name when the test says so. */
  readonly candidate: (who: string) => LeaderElection;
}

/** Those who stand for one name, and what they were told. */
export function ballot(): Ballot {
  const name = crypto.randomUUID();
  const told: string[] = [];
  const leading = new Set<string>();
  const candidate = (who: string): LeaderElection => {
    const leadership = new LeaderElection(name, {
      onElected: () => {
        told.push(`${who} is elected`);
        leading.add(who);
      },
      onDeposed: () => {
        told.push(`${who} is deposed`);
        leading.delete(who);
      },
    });
    onTestFinished(() => leadership.close());
    return leadership;
  };
  return { name, told, leading, candidate };
}
