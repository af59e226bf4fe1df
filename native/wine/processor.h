/* What Windows programs are told of the processor. */
#ifndef WBUILD_PROCESSOR_H
#define WBUILD_PROCESSOR_H

#include <windows.h>

/* The 64 flags that IsProcessorFeaturePresent answers from. */
void processor_features(BYTE flags[64]);

/* XSTATE_CONFIGURATION: where the registers beyond SSE lie in a thread's context. Left as it is without AVX. */
void extended_state(BYTE *configuration);

struct processor {
    wchar_t vendor[13], brand[49], identifier[64];
    DWORD level, revision, features;
};

void describe_processor(struct processor *processor);

#endif
