import type { Clock } from '../../platform/clock.ts';
import type { GroupMember, GroupState } from '../../group/group-state.ts';
import type { Liveness } from '../../platform/locks/liveness.ts';

export interface MemberLivenessOptions {
  readonly clock: Clock;
  readonly liveness: Liveness;
  /** Called when a tab has died, with its members. */
  readonly onGone: (members: readonly GroupMember[]) => void;
  /** Called with members that have been silent for half of their session timeout, or longer. */
  readonly onSilent: (members: readonly GroupMember[]) => void;
  /** Called when a member has not released its revoked partitions by its deadline. */
  readonly onOverdue: () => void;
  /** Asks every member for a sign of life. */
  readonly probe: () => void;
}

/** The number of probes in a session timeout. */
const PROBES = 4;

/**
 * Detects the members of a group whose tabs have died, are frozen or are suspended.
 *
 * A tab that dies loses its Web Lock, and the browser grants the lock to this broker at once. A
 * frozen or suspended tab keeps its lock, so the members are probed for a sign of life. A member
 * becomes suspected in the group's row after two missed probes in a row, because a message can get
 * lost. Only the broker's probes need a timer: the browser throttles the timers of hidden tabs, and
 * delivers their messages in time. After a sleep of the machine a member misses one probe, not two.
 */
export class MemberLiveness {
  readonly #options: MemberLivenessOptions;
  readonly #watched = new Map<string, AbortController>();
  /** The members that gave a sign of life since the last tick. */
  readonly #heard = new Set<string>();
  /** The number of probes in a row that each member has missed. */
  readonly #missed = new Map<string, number>();
  #members: readonly GroupMember[] = [];
  /** Whether another broker has sent a probe since this broker's last tick. */
  #probed = false;
  #cancelTick: (() => void) | undefined;
  #cancelOverdue: (() => void) | undefined;

  constructor(options: MemberLivenessOptions) {
    this.#options = options;
  }

  /** Takes the members of the group's newest state. */
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
    // The only member of a group is not probed: no other member could take over its partitions.
    if (members.length < 2) this.#stopTicking();
    else if (this.#cancelTick === undefined) this.#tick();
  }

  /** Notes a sign of life. The sign of nobody's member is forged or late, and would stay for good. */
  heard(memberId: string): void {
    if (this.#members.some((member) => member.memberId === memberId)) this.#heard.add(memberId);
  }

  /** Skips this broker's next probe, because another broker has sent a probe. */
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
      this.#watched.delete(clientId); // a member that joins under this id later is watched again
      this.#options.onGone(this.#members.filter((member) => member.clientId === clientId));
    });
  }

  #tick(): void {
    const { clock, probe } = this.#options;
    if (!this.#probed) probe();
    this.#probed = false;
    const interval = Math.min(...this.#members.map((m) => m.sessionTimeoutMs)) / PROBES;
    this.#cancelTick = clock.after(interval, () => this.#countMissed(interval));
  }

  #countMissed(interval: number): void {
    const silent = this.#members.filter(({ memberId, sessionTimeoutMs }) => {
      const missed = this.#heard.has(memberId) ? 0 : (this.#missed.get(memberId) ?? 0) + 1;
      this.#missed.set(memberId, missed);
      return missed * interval >= sessionTimeoutMs / 2;
    });
    this.#heard.clear();
    this.#tick();
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
