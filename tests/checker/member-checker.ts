import type { Fault, HistoryEvent, Report } from './history.ts';

/** The state of a member. Numbers are indices of events in the history. */
interface Member {
  /** The latest fault of the member in this life, which excuses the member's removal. */
  fault: number | undefined;
  /**
   * Whether the tab is frozen or crashed. A join then does not end the fault: the member may have
   * sent the join before the fault.
   */
  isDown: boolean;
  /** Whether the handler never returns: other members may get the partitions of the member. */
  isStuck: boolean;
  /** The removal or the leaving of the member. */
  gone: number | undefined;
  /** The crash of the member's tab. */
  crashed: number | undefined;
}

interface Call {
  readonly at: number;
  readonly member: string | undefined;
  settled: boolean;
}

/** Checks that members are removed for a reason only, and that every call settles. */
export class MemberChecker {
  readonly #report: Report;
  readonly #members = new Map<string, Member>();
  readonly #calls = new Map<number, Call>();
  /** Whether the history has the store's events: `joined`, `removed` and `owner`. */
  #isExact = false;

  constructor(report: Report) {
    this.#report = report;
  }

  see(event: HistoryEvent, i: number): void {
    if (event.kind === 'joined') this.#join(event.member);
    else if (event.kind === 'removed') this.#remove(event.member, i);
    else if (event.kind === 'left') this.#member(event.member).gone = i;
    else if (event.kind === 'fault') this.#hurt(event, i);
    else if (event.kind === 'called') {
      this.#calls.set(event.call, { at: i, member: event.member, settled: false });
    } else if (event.kind === 'settled') {
      const call = this.#calls.get(event.call);
      if (call !== undefined) call.settled = true;
    }
  }

  /**
   * Whether other members may own a partition that this member got at `since`, although this member
   * does not know yet.
   */
  mayBeGone(memberId: string, since: number): boolean {
    const { gone = -1, fault = -1, isStuck } = this.#member(memberId);
    return this.#isExact ? gone > since : isStuck || Math.max(gone, fault) > since;
  }

  /** Whether the member's tab crashed after `since`, so that calls of that time need not settle. */
  hasCrashed(memberId: string, since: number): boolean {
    return (this.#member(memberId).crashed ?? -1) > since;
  }

  /** The index of the call's `called`. */
  calledAt(call: number): number | undefined {
    return this.#calls.get(call)?.at;
  }

  finish(): void {
    for (const { at, member, settled } of this.#calls.values()) {
      if (settled) continue;
      if (member !== undefined && this.hasCrashed(member, at)) continue;
      this.#report('everything settles', 'this call never settled', at);
    }
  }

  #join(memberId: string): void {
    this.#isExact = true;
    const member = this.#member(memberId);
    if (!member.isDown) member.fault = undefined;
  }

  #remove(memberId: string, i: number): void {
    const member = this.#member(memberId);
    if (member.fault === undefined) {
      const happened = `${memberId} was removed, and nothing was the matter with it`;
      this.#report('removed for a reason', happened, i);
    }
    member.gone = i;
  }

  #hurt({ what, member: memberId }: Fault, i: number): void {
    const hurt = memberId === undefined ? this.#members.values() : [this.#member(memberId)];
    for (const member of hurt) {
      member.fault = i;
      if (what === 'crash') member.crashed = i;
      if (what === 'crash' || what === 'freeze') member.isDown = true;
      if (what === 'thaw') member.isDown = member.crashed !== undefined;
      if (what === 'stuck' || what === 'goesOn') member.isStuck = what === 'stuck';
    }
  }

  #member(memberId: string): Member {
    const known = this.#members.get(memberId);
    if (known !== undefined) return known;
    const made: Member = {
      fault: undefined,
      isDown: false,
      isStuck: false,
      gone: undefined,
      crashed: undefined,
    };
    this.#members.set(memberId, made);
    return made;
  }
}
