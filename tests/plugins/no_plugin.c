int an_ordinary_library(void);
int an_ordinary_library(void) { return 1; }
