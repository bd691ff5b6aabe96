const WIDTH = 120;
const HEIGHT = 32;

/** Draws figures as an area from the left to the right, as high as the highest. */
export function drawSparkline(path: SVGPathElement, values: readonly number[]): void {
  const highest = Math.max(...values, 1);
  const step = WIDTH / (values.length - 1);
  const points = values.map((value, i) => {
    const y = HEIGHT - (value / highest) * (HEIGHT - 2);
    return `L${(i * step).toFixed(1)} ${y.toFixed(1)}`;
  });
  path.setAttribute('d', `M0 ${HEIGHT}${points.join('')}L${WIDTH} ${HEIGHT}Z`);
}
