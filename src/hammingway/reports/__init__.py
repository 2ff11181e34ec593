"""What a person reads of benchmark records: tables and one HTML file that works offline."""
