void 0;
//# sourceURL=node:kcovfs/preload
