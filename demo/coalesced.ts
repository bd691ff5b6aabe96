/** Often enough to look alive, seldom enough that figures can be read and nothing flickers. */
const CALM_MS = 100;
const REDUCED_MOTION_MS = 1000;

/**
 * Makes `render` callable as often as one likes: it runs in an animation frame, once for all calls
 * since the last one. The first call after a pause is drawn in the next frame.
 */
export function coalesced(render: () => void): () => void {
  const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
  let queued = false;
  let renderedAt = -Infinity;
  const draw = (): void => {
    queued = false;
    renderedAt = performance.now();
    render();
  };
  return () => {
    if (queued) return;
    queued = true;
    const pauseMs = reducedMotion.matches ? REDUCED_MOTION_MS : CALM_MS;
    const leftMs = renderedAt + pauseMs - performance.now();
    if (leftMs <= 0) requestAnimationFrame(draw);
    else setTimeout(() => requestAnimationFrame(draw), leftMs);
  };
}
