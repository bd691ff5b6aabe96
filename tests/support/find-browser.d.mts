export declare const BROWSER_ARGS: string[];
export declare function findBrowser(): Promise<string>;
export declare function lookForBrowser(): Promise<string | undefined>;
