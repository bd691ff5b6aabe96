/** Vite's `?worker&url`: the file is bundled as a worker, and the import is its address. */
declare module '*.ts?worker&url' {
  const url: string;
  export default url;
}
