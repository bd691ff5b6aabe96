import { useSyncExternalStore } from 'react';
import { table } from './prices.ts';

export function Prices() {
  const prices = useSyncExternalStore(table.subscribe, table.snapshot);
  return (
    <ul>
      {[...prices].map(([name, price]) => (
        <li key={name}>{`${name}: ${price}`}</li>
      ))}
    </ul>
  );
}
