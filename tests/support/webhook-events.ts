import { createRequire } from 'node:module';

/** A real GitHub webhook event: its JSON text, keyed by the full name of its repository. */
export interface WebhookEvent {
  readonly key: string;
  readonly value: string;
}

// The package's types declare a default export that its JSON file does not have, hence the cast.
const examples = createRequire(import.meta.url)('@octokit/webhooks-examples') as readonly {
  readonly examples: readonly { readonly repository?: { readonly full_name?: string } }[];
}[];

export function webhookEvents(): WebhookEvent[] {
  return examples.flatMap(({ examples: payloads }) =>
    payloads.map((payload) => ({
      key: payload.repository?.full_name ?? 'none',
      value: JSON.stringify(payload),
    })),
  );
}
