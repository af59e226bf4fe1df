/* CPUID, as Windows tells it (Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E). */
#include "processor.h"

#include <cpuid.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct leaf {
    unsigned a, b, c, d;
};

static struct leaf ask(unsigned number, unsigned part) {
    struct leaf leaf = {0};
    if (!__get_cpuid_count(number, part, &leaf.a, &leaf.b, &leaf.c, &leaf.d)) return (struct leaf){0};
    return leaf;
}

static bool bit(unsigned value, int number) {
    return value >> number & 1;
}

/* True when the system saves the registers of AVX with a thread. */
static bool saves_avx(struct leaf one) {
    unsigned low, high;
    if (!bit(one.c, 27) || !bit(one.c, 28)) return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6;
}

void processor_features(BYTE flags[64]) {
    struct leaf one = ask(1, 0), seven = ask(7, 0), more = ask(0x80000001, 0);
    bool avx = saves_avx(one);
    flags[PF_COMPARE_EXCHANGE_DOUBLE] = bit(one.d, 8);
    flags[PF_MMX_INSTRUCTIONS_AVAILABLE] = bit(one.d, 23);
    flags[PF_XMMI_INSTRUCTIONS_AVAILABLE] = bit(one.d, 25);
    flags[PF_3DNOW_INSTRUCTIONS_AVAILABLE] = bit(more.d, 31);
    flags[PF_RDTSC_INSTRUCTION_AVAILABLE] = bit(one.d, 4);
    flags[PF_PAE_ENABLED] = bit(one.d, 6);
    flags[PF_XMMI64_INSTRUCTIONS_AVAILABLE] = bit(one.d, 26);
    flags[PF_SSE_DAZ_MODE_AVAILABLE] = bit(one.d, 26);
    flags[PF_NX_ENABLED] = bit(more.d, 20);
    flags[PF_SSE3_INSTRUCTIONS_AVAILABLE] = bit(one.c, 0);
    flags[PF_COMPARE_EXCHANGE128] = bit(one.c, 13);
    flags[PF_XSAVE_ENABLED] = bit(one.c, 27);
    flags[PF_RDWRFSGSBASE_AVAILABLE] = bit(seven.b, 0);
    flags[PF_FASTFAIL_AVAILABLE] = 1;
    flags[28 /* RDRAND */] = bit(one.c, 30);
    flags[32 /* RDTSCP */] = bit(more.d, 27);
    flags[36 /* SSSE3 */] = bit(one.c, 9);
    flags[37 /* SSE4.1 */] = bit(one.c, 19);
    flags[38 /* SSE4.2 */] = bit(one.c, 20);
    flags[39 /* AVX */] = avx;
    flags[40 /* AVX2 */] = avx && bit(seven.b, 5);
    flags[42 /* ERMS */] = bit(seven.b, 9);
}

void extended_state(BYTE *configuration) {
    enum { at_enabled = 0, at_volatile = 8, at_size = 16, at_flags = 20, at_places = 24, at_all_size = 24 + 64 * 8 + 16, at_all = at_all_size + 4 };
    /* x87, SSE and AVX in a context: the second after the first, the third behind the 64-byte header of XSAVE. */
    static const struct {
        DWORD offset, size;
    } places[] = {{0, 160}, {160, 256}, {512 + 64, 256}};
    struct leaf one = ask(1, 0), state = ask(13, 0);
    if (!saves_avx(one) || !bit(state.a, 2)) return;
    const ULONGLONG enabled = 7;
    const DWORD size = 512 + 64 + 256, flags = ask(13, 1).a & 3;
    memcpy(configuration + at_enabled, &enabled, sizeof enabled);
    memcpy(configuration + at_volatile, &enabled, sizeof enabled);
    memcpy(configuration + at_size, &size, sizeof size);
    memcpy(configuration + at_flags, &flags, sizeof flags);
    memcpy(configuration + at_places, places, sizeof places);
    memcpy(configuration + at_all_size, &state.b, sizeof(DWORD));
    for (int i = 0; i < 3; i++) memcpy(configuration + at_all + 4 * i, &places[i].size, sizeof(DWORD));
}

static void widen(wchar_t *to, const char *from) {
    while (*from == ' ') from++;
    do *to++ = (wchar_t)(unsigned char)*from;
    while (*from++ != 0);
}

void describe_processor(struct processor *processor) {
    struct leaf zero = ask(0, 0), one = ask(1, 0), seven = {0};
    char vendor[13] = {0}, brand[49] = {0};
    memcpy(vendor, &zero.b, 4);
    memcpy(vendor + 4, &zero.d, 4);
    memcpy(vendor + 8, &zero.c, 4);
    for (unsigned i = 0; i < 3; i++) {
        seven = ask(0x80000002 + i, 0);
        memcpy(brand + 16 * i, &seven, sizeof seven);
    }
    unsigned family = one.a >> 8 & 15, model = one.a >> 4 & 15, stepping = one.a & 15;
    if (family == 6 || family == 15) model |= one.a >> 12 & 0xf0;
    if (family == 15) family += one.a >> 20 & 0xff;
    widen(processor->vendor, vendor);
    widen(processor->brand, brand);
    _snwprintf(processor->identifier, 64, L"%ls Family %u Model %u Stepping %u", strcmp(vendor, "AuthenticAMD") == 0 ? L"AMD64" : L"Intel64", family,
               model, stepping);
    processor->level = family;
    processor->revision = model << 8 | stepping;
    processor->features = one.d;
}
