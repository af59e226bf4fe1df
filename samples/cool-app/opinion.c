/* opinion.dll: what the program thinks of itself. */
__declspec(dllexport) const char *opinion(void) { return "This is a pretty cool app"; }
