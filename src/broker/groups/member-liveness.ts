import type { Clock } from '../../platform/clock.ts';
import type { GroupMember, GroupState } from '../../group/group-state.ts';
import type { Liveness } from '../../platform/liveness.ts';

export interface MemberLivenessOptions {
  readonly clock: Clock;
  readonly liveness: Liveness;
  /** These members' tab died. */
  readonly onGone: (members: readonly GroupMember[]) => void;
  /** These members have not answered for half of their session timeout, or longer. */
  readonly onSilent: (members: readonly GroupMember[]) => void;
  /** Somebody has not released in time what it was asked for. */
  readonly onOverdue: () => void;
  /** Asks every member for a sign of life. */
  readonly probe: () => void;
}

/** A member is asked this often within its session timeout. */
const PROBES = 4;

/**
 * Finds out which members of a group are no longer there.
 *
 * A tab that died has lost its lock, and the browser says so at once. One that is frozen or
 * suspended keeps it: so members are asked for a sign of life, and one that leaves two questions in a
 * row unanswered is asked in the group's row, because messages get lost. Only the questions need a
 * timer: answers are messages, which hidden tabs get in time, and after a sleep of the whole machine
 * one question is missed and not two.
 */
export class MemberLiveness {
  readonly #options: MemberLivenessOptions;
  readonly #watched = new Map<string, AbortController>();
  readonly #heard = new Set<string>();
  /** How many questions in a row each member has left unanswered. */
  readonly #missed = new Map<string, number>();
  #members: readonly GroupMember[] = [];
  #probed = false;
  #cancelTick: (() => void) | undefined;
  #cancelOverdue: (() => void) | undefined;

  constructor(options: MemberLivenessOptions) {
    this.#options = options;
  }

  /** The members as they are now. */
  update({ members }: GroupState): void {
    this.#members = members;
    for (const memberId of this.#missed.keys()) {
      if (!members.some((member) => member.memberId === memberId)) this.#missed.delete(memberId);
    }
    const clients = new Set(members.map(({ clientId }) => clientId));
    for (const [clientId, watching] of this.#watched) {
      if (clients.has(clientId)) continue;
      watching.abort();
      this.#watched.delete(clientId);
    }
    for (const clientId of clients) this.#watch(clientId);
    this.#cancelOverdue?.();
    const due = members.flatMap(({ releaseBy }) => releaseBy ?? []);
    if (due.length > 0) {
      const { clock, onOverdue } = this.#options;
      const left = Math.max(Math.min(...due) - clock.now(), 0);
      this.#cancelOverdue = clock.after(left, onOverdue);
    }
    // Nobody could take over from the only member.
    if (members.length < 2) this.#stopTicking();
    else if (this.#cancelTick === undefined) this.#ask();
  }

  /** A member gave a sign of life. */
  heard(memberId: string): void {
    this.#heard.add(memberId);
  }

  /** Another broker has asked: once is enough. */
  probed(): void {
    this.#probed = true;
  }

  close(): void {
    this.#stopTicking();
    this.#cancelOverdue?.();
    for (const watching of this.#watched.values()) watching.abort();
  }

  #watch(clientId: string): void {
    if (this.#watched.has(clientId)) return;
    const watching = new AbortController();
    this.#watched.set(clientId, watching);
    this.#options.liveness.onDeath('client', clientId, watching.signal, () => {
      this.#options.onGone(this.#members.filter((member) => member.clientId === clientId));
    });
  }

  #ask(): void {
    const { clock, probe } = this.#options;
    if (!this.#probed) probe();
    this.#probed = false;
    const interval = Math.min(...this.#members.map((m) => m.sessionTimeoutMs)) / PROBES;
    this.#cancelTick = clock.after(interval, () => this.#count(interval));
  }

  #count(interval: number): void {
    const silent = this.#members.filter(({ memberId, sessionTimeoutMs }) => {
      const missed = this.#heard.has(memberId) ? 0 : (this.#missed.get(memberId) ?? 0) + 1;
      this.#missed.set(memberId, missed);
      return missed * interval >= sessionTimeoutMs / 2;
    });
    this.#heard.clear();
    this.#ask();
    if (silent.length > 0) this.#options.onSilent(silent);
  }

  #stopTicking(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#heard.clear();
    this.#missed.clear();
    this.#probed = false;
  }
}
