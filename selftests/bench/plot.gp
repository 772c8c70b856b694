# SPDX-License-Identifier: GPL-2.0
#
# The picture of Documentation/performance.md, from a table that selftests/bench/report makes: a row for each
# operation, a column for each place, ratios to native-pti. Run by gnuplot: -c plot.gp TABLE OUTPUT COLUMNS
set terminal svg size 900,420 font "sans,11" background "white"
set output ARG2
set datafile missing "-"
set style data histogram
set style histogram clustered gap 1.5
set style fill solid border -1
set boxwidth 0.95
set logscale y
set grid ytics
set ylabel "times native (pti=on), logarithmic"
set xtics rotate by -40 left nomirror
set key top right horizontal
set yrange [0.5:*]
set title "Instructions per operation in the same stock host"
plot for [i=2:int(ARG3)] ARG1 using i:xtic(1) title columnheader(i)
