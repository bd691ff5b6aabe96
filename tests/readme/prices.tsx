import { useSyncExternalStore } from 'react';
import { prices } from './price-table.ts';

export function Prices() {
  const snapshot = useSyncExternalStore(prices.subscribe, prices.snapshot);
  return (
    <ul>
      {[...snapshot].map(([name, price]) => (
        <li key={name}>{`${name}: ${price}`}</li>
      ))}
    </ul>
  );
}
