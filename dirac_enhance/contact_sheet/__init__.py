"""One labelled picture of a file decoded and enhanced to several steps, whole and in crops; imports torch."""
