import { mustFind, mustGet, setText } from './dom.ts';
import type { GroupState } from './group-state.ts';
import { memberStatus } from './member-status.ts';
import type { Membership } from './membership.ts';
import type { Pace } from './pace.ts';

/** Makes this tab a member or not, and says how fast it works. */
export class MembershipControls {
  readonly #membership: Membership;
  readonly #pace: Pace;
  readonly #form = mustGet('membership', HTMLFormElement);
  readonly #toggle = mustFind(this.#form, 'toggle', HTMLButtonElement);
  readonly #status = mustFind(this.#form, 'status', HTMLOutputElement);

  constructor(membership: Membership, pace: Pace) {
    this.#membership = membership;
    this.#pace = pace;
    pace.perSecond = this.#chosenPace;
    this.#form.addEventListener('change', () => (pace.perSecond = this.#chosenPace));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (membership.isJoined) membership.leave();
      else membership.join();
    });
    this.#toggle.disabled = false;
  }

  render(group: GroupState): void {
    const { isJoined } = this.#membership;
    setText(this.#toggle, isJoined ? 'Leave the group' : 'Join the group');
    this.#toggle.classList.toggle('primary', !isJoined);
    setText(this.#status, memberStatus(group, this.#membership, this.#pace.perSecond === 0));
  }

  get #chosenPace(): number {
    return Number(new FormData(this.#form).get('pace'));
  }
}
