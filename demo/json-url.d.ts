/** Vite's `?url`: the file is served as it is, and the import is its address. */
declare module '*.json?url' {
  const url: string;
  export default url;
}
