// Prints what nvmlInit_v2 returns of the driver's library that the loader finds by its name, or why it finds none.
#include <dlfcn.h>
#include <stdio.h>

int main(void) {
  void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
  if (!library) return printf("%s\n", dlerror()), 0;
  int (*init)(void) = (int (*)(void))dlsym(library, "nvmlInit_v2");
  return printf("%d\n", init()), 0;
}
