/* The order in which a container is made: one table, carried out and printed from the same rows. */
#ifndef WBUILD_PLAN_H
#define WBUILD_PLAN_H

#include "box.h"

/* BEFORE: the supervisor, before there is an init. */
enum actor { BEFORE, SUPERVISOR, INIT, PROCESS };

/* Carries out every operation of one actor, in order. */
void plan_carry_out(struct box *, enum actor);

/* One line an operation, `actor<TAB>operation<TAB>detail`, on stdout; needs no privilege and changes nothing. */
void plan_print(struct box *);

#endif
