/** wbuild's own version. A house test compares the number with package.json's. */
export const version = "0.1.0";
