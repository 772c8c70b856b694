// SPDX-License-Identifier: GPL-2.0
/*
 * What several programs reached of the module, together. Runs in the disposable
 * host: "coverage FILE..." reads what kcov_end() wrote.
 */
#include <stdio.h>

#include "kcov.h"

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!kcov_load(argv[i]))
			perror(argv[i]);
	kcov_report(stdout);
	return 0;
}
