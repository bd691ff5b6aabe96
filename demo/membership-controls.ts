import { mustFind, mustGet, setText } from './dom.ts';
import { formatCount } from './format.ts';
import type { GroupState } from './group-state.ts';
import type { Membership } from './membership.ts';
import type { Notices } from './notices.ts';
import type { Pace } from './pace.ts';

/** Makes this tab a member or not, and says how fast it works. */
export class MembershipControls {
  readonly #membership: Membership;
  readonly #pace: Pace;
  readonly #form = mustGet('membership', HTMLFormElement);
  readonly #toggle = mustFind(this.#form, 'toggle', HTMLButtonElement);
  readonly #status = mustFind(this.#form, 'status', HTMLOutputElement);

  constructor(membership: Membership, pace: Pace, notices: Notices) {
    this.#membership = membership;
    this.#pace = pace;
    pace.perSecond = this.#chosenPace;
    this.#form.addEventListener('change', () => (pace.perSecond = this.#chosenPace));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (membership.isJoined) membership.leave();
      else membership.join().catch((error: unknown) => notices.error(error));
    });
    this.#toggle.disabled = false;
  }

  render(group: GroupState): void {
    const { isJoined } = this.#membership;
    setText(this.#toggle, isJoined ? 'Leave the group' : 'Join the group');
    this.#toggle.classList.toggle('primary', !isJoined);
    setText(this.#status, isJoined ? this.#memberStatus(group) : this.#watcherStatus);
  }

  get #chosenPace(): number {
    return Number(new FormData(this.#form).get('pace'));
  }

  get #watcherStatus(): string {
    const { processed } = this.#membership;
    if (processed === 0) return 'This tab only watches.';
    return `This tab has left, after ${formatCount(processed)} records.`;
  }

  #memberStatus({ readers, partitions: all }: GroupState): string {
    const { memberId, partitions, isOut } = this.#membership;
    const stalls = this.#pace.perSecond === 0;
    if (isOut && stalls) return 'Stalled for too long: it is out until it goes on.';
    if (!readers.some((reader) => reader.memberId === memberId)) return 'Joining…';
    if (partitions === 0) return 'Idle: every partition has another reader.';
    return `${stalls ? 'This tab is stalled, with' : 'This tab reads'} ${partitions} of ${all} partitions.`;
  }
}
