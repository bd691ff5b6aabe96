import { createRequire } from 'node:module';

/** A real GitHub webhook event, as text, with the repository that it is about as its key. */
export interface WebhookEvent {
  readonly key: string;
  readonly value: string;
}

// The package's types and its export disagree about a `default`; the file is what it is.
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
